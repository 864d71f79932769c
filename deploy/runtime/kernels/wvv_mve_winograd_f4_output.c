/* Output transform of F(4x4, 3x3), four outputs at a time; for the exact form with requantization.
 *
 * Exact: the bias comes in with the tap that every pixel takes once. 576 times the sum is what comes out, or 288 or 144
 * times with factors of 2 left out, so that 144 times the bias serves. The inverse of 9 modulo 2^32 divides by 9. */
#include "wvv_mve_vectors.h"
#include "wvv_mve_winograd.h"

enum { TILE = 6, SIZE = 4, OUTPUTS = 4, TAP_WORDS = 8 };

static const uint32_t inverse_of_9 = 0x38e38e39u;

#define ALWAYS static inline __attribute__((always_inline))

/* The first of the four comes out doubled. */
ALWAYS void back(wvv_v4 m0, wvv_v4 m1, wvv_v4 m2, wvv_v4 m3, wvv_v4 m4, wvv_v4 m5, wvv_v4 y[SIZE]) {
  const wvv_v4 even = m1 + m2, odd = m1 - m2, even2 = m3 + m4, odd2 = m3 - m4;
  y[0] = even2 + ((m0 + even) << 1);
  y[1] = odd + odd2;
  y[2] = even + (even2 << 1);
  y[3] = odd + ((m5 + (odd2 << 1)) << 1);
}

#if WVV_MVE

/* q0 to q5 to q2, q4, q6, q1; r9 is 2, r12 is 4. */
#define BACK                      \
  "vadd.i32 q6, q1, q2\n\t"       \
  "vsub.i32 q1, q1, q2\n\t"       \
  "vadd.i32 q2, q3, q4\n\t"       \
  "vsub.i32 q3, q3, q4\n\t"       \
  "vadd.i32 q0, q0, q6\n\t"       \
  "vmla.s32 q6, q2, r9\n\t"       \
  "vmla.s32 q2, q0, r9\n\t"       \
  "vadd.i32 q4, q1, q3\n\t"       \
  "vmla.s32 q1, q5, r9\n\t"       \
  "vmla.s32 q1, q3, r12\n\t"

#define AWAY_FROM_ZERO(y)          \
  "vshr.s32 q0, " y ", #31\n\t"    \
  "vadd.i32 " y ", " y ", q0\n\t"

#define POSITIVE(y)

/* q5 mantissas, q7 shifts, r5 the zero point. Narrowing twice leaves a held byte in the lowest of each four. */
#define FINISH(y, inverse, sign, to)            \
  "vmul.i32 " y ", " y ", " inverse "\n\t"      \
  "vshr.s32 " y ", " y ", #6\n\t"               \
  "vqrdmulh.s32 " y ", " y ", q5\n\t"           \
  sign(y)                                       \
  "vrshl.s32 " y ", " y ", q7\n\t"              \
  "vadd.i32 " y ", " y ", r5\n\t"               \
  "vqmovnb.s32 " y ", " y "\n\t"                \
  "vqmovnb.s16 " y ", " y "\n\t"                \
  "vstrb.32 " y ", [" to "]\n\t"

/* r0 M and r6 its lower half, then the inverses; r1 stage, r2 output, r4 bytes of a pixel, r7 scratch, r8 bytes of a
 * row. */
#define FOUR_OUTPUTS(sign)                        \
  ".syntax unified\n\t"                           \
  "push {r4-r9, r12, lr}\n\t"                     \
  "vpush {d8-d15}\n\t"                            \
  "ldrd r4, r5, [sp, #96]\n\t"                    \
  "sub sp, #384\n\t"                              \
  "mov r8, r3\n\t"                                \
  "mov r9, #2\n\t"                                \
  "mov r12, #4\n\t"                               \
  "vldrw.32 q0, [r0, #224]\n\t"                   \
  "vldrw.32 q1, [r1]\n\t"                         \
  "vldrw.32 q7, [r1, #32]\n\t"                    \
  "vadd.i32 q0, q0, q1\n\t"                       \
  "vstrw.32 q0, [r0, #224]\n\t"                   \
  "add r6, r0, #576\n\t"                          \
  "mov r7, sp\n\t"                                \
  "mov lr, #6\n\t"                                \
  "dls lr, lr\n"                                  \
  "0:\n\t"                                        \
  "vldrw.32 q1, [r0, #192]\n\t"                   \
  "vldrw.32 q2, [r0, #384]\n\t"                   \
  "vldrw.32 q0, [r0], #32\n\t"                    \
  "vldrw.32 q4, [r6, #192]\n\t"                   \
  "vldrw.32 q5, [r6, #384]\n\t"                   \
  "vldrw.32 q3, [r6], #32\n\t" BACK               \
  "vstrw.32 q4, [r7, #96]\n\t"                    \
  "vstrw.32 q6, [r7, #192]\n\t"                   \
  "vstrw.32 q1, [r7, #288]\n\t"                   \
  "vstrw.32 q2, [r7], #16\n\t"                    \
  "le lr, 0b\n\t"                                 \
  "mov r7, sp\n\t"                                \
  "movw r0, #0x8e39\n\t"                          \
  "movt r0, #0x38e3\n\t"                          \
  "lsl r6, r0, #1\n\t"                            \
  "mov lr, #4\n\t"                                \
  "dls lr, lr\n"                                  \
  "1:\n\t"                                        \
  "vldrw.32 q1, [r7, #16]\n\t"                    \
  "vldrw.32 q2, [r7, #32]\n\t"                    \
  "vldrw.32 q3, [r7, #48]\n\t"                    \
  "vldrw.32 q4, [r7, #64]\n\t"                    \
  "vldrw.32 q5, [r7, #80]\n\t"                    \
  "vldrw.32 q0, [r7], #96\n\t" BACK               \
  "vldrw.32 q5, [r1, #16]\n\t"                    \
  FINISH("q2", "r0", sign, "r2")                  \
  "add r3, r2, r4\n\t" FINISH("q4", "r6", sign, "r3") \
  "add r3, r3, r4\n\t" FINISH("q6", "r6", sign, "r3") \
  "add r3, r3, r4\n\t" FINISH("q1", "r6", sign, "r3") \
  "add r2, r2, r8\n\t"                            \
  "movw r0, #0x1c72\n\t"                          \
  "movt r0, #0x71c7\n\t"                          \
  "lsl r6, r0, #1\n\t"                            \
  "le lr, 1b\n\t"                                 \
  "add sp, #384\n\t"                              \
  "vpop {d8-d15}\n\t"                             \
  "pop {r4-r9, r12, pc}\n\t"

/* A whole tile, held within int8. */
#define DEFINE(name, sign)                                                                                     \
  __attribute__((naked, aligned(4))) static void name(int32_t *m, const int32_t *stage, int8_t *out,            \
                                                      int32_t row_bytes, int32_t pixel_bytes, int32_t zero) {   \
    (void)m, (void)stage, (void)out, (void)row_bytes, (void)pixel_bytes, (void)zero;                            \
    __asm__ volatile(FOUR_OUTPUTS(sign));                                                                       \
  }
DEFINE(four_outputs, AWAY_FROM_ZERO)
DEFINE(four_positive_outputs, POSITIVE)

#endif

/* 576 times a sum, or its half or quarter by the inverse of 9 times 2 or 4, becomes an output. */
ALWAYS wvv_v4 finished(wvv_v4 y, uint32_t inverse, const int32_t *stage, const struct wvv_mve_winograd *l) {
  const wvv_v4 high = wvv_doubling_high(wvv_right4(y * inverse, 6), wvv_load4s(stage + OUTPUTS));
  const wvv_v4 lowered = high + wvv_right4(high, 31);
  const wvv_v4 value = wvv_rounded4(lowered, wvv_load4s(stage + 2 * OUTPUTS)) + (uint32_t)l->output_zero_point;
  return wvv_clamped4(value, l->low, l->high);
}

/* Any part of a tile, within any clamp. */
static void some_outputs(const int32_t *m, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *out,
                         int32_t rows, int32_t columns, int32_t outputs) {
  wvv_v4 scratch[SIZE][TILE], y[SIZE];
#pragma GCC unroll 1
  for (int column = 0; column < TILE; ++column, m += TAP_WORDS) {
    back(wvv_load4s(m), wvv_load4s(m + 48), wvv_load4s(m + 96), wvv_load4s(m + 144), wvv_load4s(m + 192),
         wvv_load4s(m + 240), y);
    for (int k = 0; k < SIZE; ++k) {
      scratch[k][column] = y[k];
    }
  }
  for (int32_t row = 0; row < SIZE && row < rows; ++row) {
    const wvv_v4 *s = scratch[row];
    back(s[0], s[1], s[2], s[3], s[4], s[5], y);
    for (int32_t column = 0; column < SIZE && column < columns; ++column) {
      const uint32_t inverse = inverse_of_9 << ((row > 0) + (column > 0));
      int8_t *const to = out + (row * l->out_width + column) * l->outputs;
      wvv_store_up_to_four(to, finished(y[column], inverse, stage, l), outputs);
    }
  }
}

/* In int8 nothing is left out: both factors of 2 come in here. */
void wvv_mve_f4_output(int32_t *m, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *out, int32_t rows,
                       int32_t columns, int32_t outputs, int32_t left) {
  enum { ROW = TILE * OUTPUTS };
  int32_t made[SIZE * ROW], sums[SIZE * SIZE * OUTPUTS];
  wvv_v4 y[SIZE];
#pragma GCC unroll 1
  for (int column = 0; column < TILE; ++column, m += TAP_WORDS) {
    back(wvv_load4s(m), wvv_load4s(m + 48), wvv_load4s(m + 96), wvv_load4s(m + 144), wvv_load4s(m + 192),
         wvv_load4s(m + 240), y);
    for (int k = 0; k < SIZE; ++k) {
      wvv_store4s(made + k * ROW + column * OUTPUTS, y[k] << (k > 0));
    }
  }
  if (wvv_mve_f4_rows(made, stage, l, out, rows, columns, outputs, left)) {
    return;
  }
#pragma GCC unroll 1
  for (int row = 0; row < SIZE; ++row) {
    const int32_t *const s = made + row * ROW;
    back(wvv_load4s(s), wvv_load4s(s + 4), wvv_load4s(s + 8), wvv_load4s(s + 12), wvv_load4s(s + 16),
         wvv_load4s(s + 20), y);
    for (int k = 0; k < SIZE; ++k) {
      wvv_store4s(sums + (row * SIZE + k) * OUTPUTS, y[k] << (k > 0));
    }
  }
  wvv_mve_finish(sums, SIZE, left, stage, l, out, rows, columns, outputs);
}

void wvv_mve_f4_exact_output(int32_t *m, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *out,
                             int32_t rows, int32_t columns, int32_t outputs, int32_t left) {
  (void)left;
#if WVV_MVE
  if (rows >= SIZE && columns >= SIZE && outputs >= OUTPUTS && l->low == INT8_MIN && l->high == INT8_MAX) {
    (l->away ? four_outputs : four_positive_outputs)(m, stage, out, l->out_width * l->outputs, l->outputs,
                                                     l->output_zero_point);
    return;
  }
#endif
  int32_t *const centre = m + (TILE + 1) * TAP_WORDS;
  for (int32_t o = 0; o < OUTPUTS; ++o) {
    centre[o] = (int32_t)((uint32_t)centre[o] + (uint32_t)stage[o]);
  }
  some_outputs(m, stage, l, out, rows, columns, outputs);
}
