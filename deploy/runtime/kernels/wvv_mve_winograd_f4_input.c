/* Input transform of F(4x4, 3x3), eight channels at a time, modulo 2^16: every value of V fits. */
#include "wvv_mve_winograd.h"
#include "wvv_simd.h"

enum { TILE = 6, LANES = 8 };

/* One tile of eight channels. In one dimension, B with the rows of 1 and -1 negated:
 *   v0 = 4 d0 - 5 d2 + d4      v1 = -4 d1 - 4 d2 + d3 + d4     v2 = 4 d1 - 4 d2 - d3 + d4
 *   v3 = -2 d1 - d2 + 2 d3 + d4     v4 = 2 d1 - d2 - 2 d3 + d4      v5 = 4 d1 - 5 d3 + d5
 * Of these only v1 has coefficients that do not add up to zero, but to -6: one tap has 36 times the zero point too
 * much, `excess`. Taps of V are `step` bytes apart. */
#if WVV_MVE

/* q0 to q5 to q6, q1, q4, q2, q3, q5; r9 is -4, r10 is 4. */
#define INTO                      \
  "vsub.i16 q6, q4, q2\n\t"       \
  "vsub.i16 q0, q0, q2\n\t"       \
  "vmla.s16 q4, q2, r9\n\t"       \
  "vsub.i16 q7, q3, q1\n\t"       \
  "vsub.i16 q5, q5, q3\n\t"       \
  "vmla.s16 q3, q1, r9\n\t"       \
  "vmla.s16 q5, q7, r9\n\t"       \
  "vadd.i16 q7, q7, q7\n\t"       \
  "vadd.i16 q1, q4, q3\n\t"       \
  "vsub.i16 q4, q4, q3\n\t"       \
  "vadd.i16 q2, q6, q7\n\t"       \
  "vsub.i16 q3, q6, q7\n\t"       \
  "vmla.s16 q6, q0, r10\n\t"

#define NEXT_ROW(q)           \
  "add r4, r4, r1\n\t"        \
  "vldrb.s16 " q ", [r4]\n\t"

#define NEXT_TAP(q)           \
  "vstrw.32 " q ", [r3]\n\t"  \
  "add r3, r3, r6\n\t"

/* r0 image, r3 V, r5 and r8 scratch. */
__attribute__((naked, aligned(4))) void wvv_mve_f4_group(const int8_t *x, int32_t row_bytes, int32_t column_bytes,
                                                         int16_t *v, int32_t step, int32_t excess, int32_t *scratch) {
  (void)x, (void)row_bytes, (void)column_bytes, (void)v, (void)step, (void)excess, (void)scratch;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4-r10, lr}\n\t"
      "vpush {d8-d15}\n\t"
      "ldrd r6, r7, [sp, #96]\n\t"
      "ldr r8, [sp, #104]\n\t"
      "mov r5, r8\n\t"
      "mvn r9, #3\n\t"
      "mov r10, #4\n\t"
      "mov lr, #6\n\t"
      "dls lr, lr\n"
      "0:\n\t"
      "mov r4, r0\n\t"
      "vldrb.s16 q0, [r0]\n\t"
      "add r0, r0, r2\n\t" NEXT_ROW("q1") NEXT_ROW("q2") NEXT_ROW("q3") NEXT_ROW("q4") NEXT_ROW("q5") INTO
      "vstrw.32 q1, [r5, #96]\n\t"
      "vstrw.32 q4, [r5, #192]\n\t"
      "vstrw.32 q2, [r5, #288]\n\t"
      "vstrw.32 q3, [r5, #384]\n\t"
      "vstrw.32 q5, [r5, #480]\n\t"
      "vstrw.32 q6, [r5], #16\n\t"
      "le lr, 0b\n\t"
      "mov r5, r8\n\t"
      "rsb r4, r6, r6, lsl #3\n\t"
      "add r4, r4, r3\n\t"
      "mov lr, #6\n\t"
      "dls lr, lr\n"
      "1:\n\t"
      "vldrw.32 q1, [r5, #16]\n\t"
      "vldrw.32 q2, [r5, #32]\n\t"
      "vldrw.32 q3, [r5, #48]\n\t"
      "vldrw.32 q4, [r5, #64]\n\t"
      "vldrw.32 q5, [r5, #80]\n\t"
      "vldrw.32 q0, [r5], #96\n\t" INTO NEXT_TAP("q6") NEXT_TAP("q1") NEXT_TAP("q4") NEXT_TAP("q2") NEXT_TAP("q3")
      NEXT_TAP("q5")
      "le lr, 1b\n\t"
      "vldrw.32 q0, [r4]\n\t"
      "vsub.i16 q0, q0, r7\n\t"
      "vstrw.32 q0, [r4]\n\t"
      "vpop {d8-d15}\n\t"
      "pop {r4-r10, pc}\n\t");
}

#else

static void into(const uint16_t *d, int32_t step, uint16_t v[TILE]) {
  const int32_t d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const int32_t made[TILE] = {
      4 * d0 - 5 * d2 + d4,      -4 * d1 - 4 * d2 + d3 + d4, 4 * d1 - 4 * d2 - d3 + d4, 2 * (d3 - d1) - d2 + d4,
      2 * (d1 - d3) - d2 + d4, 4 * d1 - 5 * d3 + d5,
  };
  for (int k = 0; k < TILE; ++k) {
    v[k] = (uint16_t)made[k];
  }
}

void wvv_mve_f4_group(const int8_t *x, int32_t row_bytes, int32_t column_bytes, int16_t *v, int32_t step,
                      int32_t excess, int32_t *scratch) {
  (void)scratch;
  for (int lane = 0; lane < LANES; ++lane) {
    uint16_t d[TILE][TILE], by_columns[TILE][TILE], made[TILE];
    for (int row = 0; row < TILE; ++row) {
      for (int column = 0; column < TILE; ++column) {
        d[row][column] = (uint16_t)x[row * row_bytes + column * column_bytes + lane];
      }
    }
    for (int column = 0; column < TILE; ++column) {
      into(&d[0][column], TILE, by_columns[column]);
    }
    for (int row = 0; row < TILE; ++row) {
      into(&by_columns[0][row], TILE, made);
      made[1] = (uint16_t)(made[1] - (row == 1 ? excess : 0));
      for (int column = 0; column < TILE; ++column) {
        v[(row * TILE + column) * (step / 2) + lane] = (int16_t)made[column];
      }
    }
  }
}

#endif
