#include "wvv_mve_depthwise.h"
#include "wvv_simd.h"

#if WVV_MVE

#define STORE_FOUR                       \
  "vst40.8 {q0, q1, q2, q3}, [%[to]]\n\t" \
  "vst41.8 {q0, q1, q2, q3}, [%[to]]\n\t" \
  "vst42.8 {q0, q1, q2, q3}, [%[to]]\n\t" \
  "vst43.8 {q0, q1, q2, q3}, [%[to]]!\n\t"

void wvv_mve_pack_columns(int8_t *to, const int8_t *const rows[WVV_PACKED_ROWS], const int32_t steps[WVV_PACKED_ROWS],
                          int32_t count, const uint8_t lane[WVV_PACKED_LANES], int32_t lanes) {
  const int8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
  __asm__ volatile(
      "vldrb.8 q4, [%[lane]]\n\t"
      "vctp.8 %[lanes]\n\t"
      "wls lr, %[count], 1f\n"
      "0:\n\t"
      "vpstttt\n\t"
      "vldrbt.u8 q0, [%[a], q4]\n\t"
      "vldrbt.u8 q1, [%[b], q4]\n\t"
      "vldrbt.u8 q2, [%[c], q4]\n\t"
      "vldrbt.u8 q3, [%[d], q4]\n\t"
      "add %[a], %[a], %[sa]\n\t"
      "add %[b], %[b], %[sb]\n\t"
      "add %[c], %[c], %[sc]\n\t"
      "add %[d], %[d], %[sd]\n\t" STORE_FOUR
      "le lr, 0b\n"
      "1:"
      : [to] "+r"(to), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d)
      : [sa] "r"(steps[0]), [sb] "r"(steps[1]), [sc] "r"(steps[2]), [sd] "r"(steps[3]), [count] "r"(count),
        [lane] "r"(lane), [lanes] "r"(lanes)
      : "q0", "q1", "q2", "q3", "q4", "lr", "cc", "memory");
}

void wvv_mve_pack_three(int8_t *to, const int8_t *const rows[WVV_PACKED_ROWS], const int32_t steps[WVV_PACKED_ROWS],
                        int32_t count, int32_t lanes) {
  const int8_t *a = rows[0], *b = rows[1], *c = rows[2];
  __asm__ volatile(
      "vctp.8 %[lanes]\n\t"
      "wls lr, %[count], 1f\n"
      "0:\n\t"
      "vpsttt\n\t"
      "vldrbt.8 q0, [%[a]]\n\t"
      "vldrbt.8 q1, [%[b]]\n\t"
      "vldrbt.8 q2, [%[c]]\n\t"
      "add %[a], %[a], %[sa]\n\t"
      "add %[b], %[b], %[sb]\n\t"
      "add %[c], %[c], %[sc]\n\t" STORE_FOUR
      "le lr, 0b\n"
      "1:"
      : [to] "+r"(to), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c)
      : [sa] "r"(steps[0]), [sb] "r"(steps[1]), [sc] "r"(steps[2]), [count] "r"(count), [lanes] "r"(lanes)
      : "q0", "q1", "q2", "q3", "lr", "cc", "memory");
}

#else

void wvv_mve_pack_columns(int8_t *to, const int8_t *const rows[WVV_PACKED_ROWS], const int32_t steps[WVV_PACKED_ROWS],
                          int32_t count, const uint8_t lane[WVV_PACKED_LANES], int32_t lanes) {
  for (int32_t column = 0; column < count; ++column, to += WVV_PACKED_BYTES) {
    for (int32_t n = 0; n < lanes; ++n) {
      for (int32_t k = 0; k < WVV_PACKED_ROWS; ++k) {
        to[n * WVV_PACKED_ROWS + k] = rows[k][column * steps[k] + (steps[k] != 0 ? lane[n] : 0)];
      }
    }
  }
}

void wvv_mve_pack_three(int8_t *to, const int8_t *const rows[WVV_PACKED_ROWS], const int32_t steps[WVV_PACKED_ROWS],
                        int32_t count, int32_t lanes) {
  static const uint8_t lane[WVV_PACKED_LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  wvv_mve_pack_columns(to, rows, steps, count, lane, lanes);
}

#endif
