#include "wvv_mve_depthwise.h"
#include "wvv_mve_gemm.h"
#include "wvv_mve_vectors.h"

/* Of four outputs the sums of a window; gives where their weights end. A vector is one word of each of four columns. */
#if WVV_MVE
static inline const int8_t *sum_window(const struct wvv_mve_depthwise *job, const int8_t *packed, const int8_t *w,
                                       int32_t sums[4]) {
  int32_t a = 0, b = 0, c = 0, d = 0;
  uint32x4_t row = vaddq_n_u32(vld1q_u32(job->offsets), (uint32_t)packed);
  for (int32_t deep = job->deep; deep > 0; --deep, row = vaddq_n_u32(row, (uint32_t)job->deep_bytes)) {
    uint32x4_t at = row;
    for (int32_t across = job->across; across > 0; --across, w += 4 * WVV_VECTOR) {
      a = vmladavaq_s8(a, (int8x16_t)vldrwq_gather_base_s32(at, 0), vld1q_s8(w));
      b = vmladavaq_s8(b, (int8x16_t)vldrwq_gather_base_s32(at, 4), vld1q_s8(w + WVV_VECTOR));
      c = vmladavaq_s8(c, (int8x16_t)vldrwq_gather_base_s32(at, 8), vld1q_s8(w + 2 * WVV_VECTOR));
      d = vmladavaq_s8(d, (int8x16_t)vldrwq_gather_base_s32(at, 12), vld1q_s8(w + 3 * WVV_VECTOR));
      at = vaddq_n_u32(at, 4 * job->offsets[1]);
    }
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
  return w;
}
#else
static inline const int8_t *sum_window(const struct wvv_mve_depthwise *job, const int8_t *packed, const int8_t *w,
                                       int32_t sums[4]) {
  uint32_t wrapping[4] = {0};
  for (int32_t deep = 0; deep < job->deep; ++deep) {
    for (int32_t across = 0; across < job->across; ++across) {
      const int8_t *const at = packed + deep * job->deep_bytes + 4 * across * (int32_t)job->offsets[1];
      for (int32_t n = 0; n < 4 * WVV_VECTOR; ++n, ++w) {
        const int32_t tap = n % WVV_VECTOR, output = n / WVV_VECTOR;
        const int8_t x = at[job->offsets[tap >> 2] + (uint32_t)(output * WVV_PACKED_ROWS + (tap & 3))];
        wrapping[output] += (uint32_t)(x * *w);
      }
    }
  }
  for (int32_t n = 0; n < 4; ++n) {
    sums[n] = (int32_t)wrapping[n];
  }
  return w;
}
#endif

static inline void pixel(const struct wvv_mve_depthwise *job, const int8_t *packed, const int32_t *weights, int8_t *y,
                         int32_t lanes) {
  int32_t sums[4];
  const int32_t *const ends = (const int32_t *)sum_window(job, packed, (const int8_t *)weights, sums);
  wvv_v4 value = wvv_doubling_high(wvv_load4s(sums) + wvv_load4s(ends), wvv_load4s(ends + 4));
  if (job->finish == WVV_MVE_SIGNED) {
    value += wvv_right4(value, 31);
  }
  value = wvv_rounded4(value, wvv_load4s(ends + 8)) + (uint32_t)job->zero_point;
  wvv_store_up_to_four(y, wvv_clamped4(value, INT8_MIN, INT8_MAX), lanes);
}

void wvv_mve_depthwise_four(const struct wvv_mve_depthwise *job, const int8_t *packed, const int32_t *weights,
                            int8_t *y, int32_t lanes) {
  for (int32_t row = 0; row < job->rows; ++row, packed += job->row_bytes) {
    for (int32_t column = 0; column < job->columns; ++column, y += job->outputs) {
      pixel(job, packed + column * job->step, weights, y, lanes);
    }
  }
}

#if WVV_MVE

#define COLUMNS "[sp]"
#define ROW_END "[sp, #4]"
#define FRAME "8"

/* r0, r2, r4, r6 sums, q0 to q3 their weights, r3 what follows these; r1 output; q7 addresses of four words, r5 bytes
 * to the next pixel's; r7 zero point, r8 bytes of a pixel, r10 lanes, r11 minus one, r12 rows. */
#define AWAY_FROM_ZERO "vpt.s32 lt, q4, zr\n\tvaddt.i32 q4, q4, r11\n\t"
#define FOUR_LANES "vstrb.32 q4, [r1]\n\t"
#define LANES "vctp.32 r10\n\tvpst\n\tvstrbt.32 q4, [r1]\n\t"

#define ROWS(away_from_zero, store)      \
  "1:\n\t"                               \
  "ldr r9, " COLUMNS "\n\t"              \
  "dls lr, r9\n"                         \
  "0:\n\t"                               \
  "ldrd r0, r2, [r3]\n\t"                \
  "ldrd r4, r6, [r3, #8]\n\t"            \
  "vldrw.u32 q4, [q7]\n\t"               \
  "vmladava.s8 r0, q4, q0\n\t"           \
  "vldrw.u32 q4, [q7, #4]\n\t"           \
  "vmladava.s8 r2, q4, q1\n\t"           \
  "vldrw.u32 q4, [q7, #8]\n\t"           \
  "vmladava.s8 r4, q4, q2\n\t"           \
  "vldrw.u32 q4, [q7, #12]\n\t"          \
  "vmladava.s8 r6, q4, q3\n\t"           \
  "vmov q4[2], q4[0], r0, r4\n\t"        \
  "vmov q4[3], q4[1], r2, r6\n\t"        \
  "vqrdmulh.s32 q4, q4, q5\n\t"          \
  away_from_zero                         \
  "vrshl.s32 q4, q4, q6\n\t"             \
  "vadd.i32 q4, q4, r7\n\t"              \
  "vqmovnb.s32 q4, q4\n\t"               \
  "vqmovnb.s16 q4, q4\n\t"               \
  store                                  \
  "add r1, r1, r8\n\t"                   \
  "vadd.i32 q7, q7, r5\n\t"              \
  "le lr, 0b\n\t"                        \
  "ldr r9, " ROW_END "\n\t"              \
  "vadd.i32 q7, q7, r9\n\t"              \
  "subs r12, #1\n\t"                     \
  "bne 1b\n\t"

__attribute__((naked)) void wvv_mve_depthwise_small(const struct wvv_mve_depthwise *job, const int8_t *packed,
                                                    const int32_t *weights, int8_t *y, int32_t lanes) {
  (void)job, (void)packed, (void)weights, (void)y, (void)lanes;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4-r11, lr}\n\t"
      "vpush {d8-d15}\n\t"
      "sub sp, #" FRAME "\n\t"
      "ldrd r12, r4, [r0]\n\t"
      "ldrd r6, r5, [r0, #8]\n\t"
      "mls r6, r4, r5, r6\n\t"
      "strd r4, r6, " COLUMNS "\n\t"
      "ldrd r8, r7, [r0, #16]\n\t"
      "ldr r10, [sp, #108]\n\t" /* above the frame, 64 bytes of vectors, nine registers */
      "ldr r9, [r0, #24]\n\t"
      "vldrw.32 q7, [r0, #40]\n\t"
      "vadd.i32 q7, q7, r1\n\t"
      "mov r1, r3\n\t"
      "mov r3, r2\n\t"
      "vldrb.8 q0, [r3], #16\n\t"
      "vldrb.8 q1, [r3], #16\n\t"
      "vldrb.8 q2, [r3], #16\n\t"
      "vldrb.8 q3, [r3], #16\n\t"
      "vldrw.32 q5, [r3, #16]\n\t"
      "vldrw.32 q6, [r3, #32]\n\t"
      "mvn r11, #0\n\t"
      "cmp r9, #1\n\t"
      "beq.w 4f\n\t"
      "cmp r10, #4\n\t"
      "bne.w 3f\n" ROWS(AWAY_FROM_ZERO, FOUR_LANES) "b.w 6f\n"
      "3:\n" ROWS(AWAY_FROM_ZERO, LANES) "b.w 6f\n"
      "4:\n\t"
      "cmp r10, #4\n\t"
      "bne.w 5f\n" ROWS("", FOUR_LANES) "b.w 6f\n"
      "5:\n" ROWS("", LANES)
      "6:\n\t"
      "add sp, #" FRAME "\n\t"
      "vpop {d8-d15}\n\t"
      "pop {r4-r11, pc}\n\t");
}

#else
void wvv_mve_depthwise_small(const struct wvv_mve_depthwise *job, const int8_t *packed, const int32_t *weights,
                             int8_t *y, int32_t lanes) {
  wvv_mve_depthwise_four(job, packed, weights, y, lanes);
}
#endif
