/* Copies, fills and clamps of runs of bytes: a loop of vectors, the last of them predicated. */
#ifndef WVV_MVE_BYTES_H_
#define WVV_MVE_BYTES_H_

#include "wvv_simd.h"

#if WVV_MVE
static inline void wvv_copy_bytes(int8_t *to, const int8_t *from, int32_t bytes) {
  __asm__ volatile(
      "wlstp.8 lr, %[bytes], 1f\n"
      "0:\n\t"
      "vldrb.8 q0, [%[from]], #16\n\t"
      "vstrb.8 q0, [%[to]], #16\n\t"
      "letp lr, 0b\n"
      "1:"
      : [to] "+r"(to), [from] "+r"(from)
      : [bytes] "r"(bytes)
      : "q0", "lr", "memory");
}

static inline void wvv_fill_bytes(int8_t *to, int32_t value, int32_t bytes) {
  __asm__ volatile(
      "vdup.8 q0, %[value]\n\t"
      "wlstp.8 lr, %[bytes], 1f\n"
      "0:\n\t"
      "vstrb.8 q0, [%[to]], #16\n\t"
      "letp lr, 0b\n"
      "1:"
      : [to] "+r"(to)
      : [value] "r"(value), [bytes] "r"(bytes)
      : "q0", "lr", "memory");
}

static inline void wvv_clamp_bytes(int8_t *at, int32_t bytes, int32_t low, int32_t high) {
  const int8_t *from = at;
  __asm__ volatile(
      "vdup.8 q1, %[low]\n\t"
      "vdup.8 q2, %[high]\n\t"
      "wlstp.8 lr, %[bytes], 1f\n"
      "0:\n\t"
      "vldrb.8 q0, [%[from]], #16\n\t"
      "vmax.s8 q0, q0, q1\n\t"
      "vmin.s8 q0, q0, q2\n\t"
      "vstrb.8 q0, [%[at]], #16\n\t"
      "letp lr, 0b\n"
      "1:"
      : [at] "+r"(at), [from] "+r"(from)
      : [bytes] "r"(bytes), [low] "r"(low), [high] "r"(high)
      : "q0", "q1", "q2", "lr", "memory");
}

/* Eight bytes, or `bytes` where that is less, of each of `count` pixels, to places eight bytes apart. */
static inline void wvv_copy_groups(int8_t *to, const int8_t *from, int32_t count, int32_t stride, int32_t bytes) {
  __asm__ volatile(
      "vctp.16 %[bytes]\n\t"
      "wls lr, %[count], 1f\n"
      "0:\n\t"
      "vpst\n\t"
      "vldrbt.s16 q0, [%[from]]\n\t"
      "add %[from], %[from], %[stride]\n\t"
      "vstrb.16 q0, [%[to]], #8\n\t"
      "le lr, 0b\n"
      "1:"
      : [to] "+l"(to), [from] "+l"(from)
      : [count] "r"(count), [stride] "r"(stride), [bytes] "r"(bytes)
      : "q0", "lr", "cc", "memory");
}
#else
static inline void wvv_copy_groups(int8_t *to, const int8_t *from, int32_t count, int32_t stride, int32_t bytes) {
  for (; count > 0; --count, from += stride, to += 8) {
    memcpy(to, from, bytes < 8 ? (size_t)bytes : 8);
  }
}
static inline void wvv_clamp_bytes(int8_t *at, int32_t bytes, int32_t low, int32_t high) {
  for (int32_t n = 0; n < bytes; ++n) {
    at[n] = (int8_t)(at[n] < low ? low : at[n] > high ? high : at[n]);
  }
}
static inline void wvv_copy_bytes(int8_t *to, const int8_t *from, int32_t bytes) { memcpy(to, from, (size_t)bytes); }
static inline void wvv_fill_bytes(int8_t *to, int32_t value, int32_t bytes) { memset(to, value, (size_t)bytes); }
#endif

#endif
