/* Output transform of F(4x4, 3x3) over the points 0, 1, -1, 2, -2 and infinity, with requantization.
 *
 * In one dimension, from sums m that are the catalog's but for the sign of those of 1 and -1, all modulo 2^32:
 *   24 y0 = 2 m0 + 2 (m1 + m2) + (m3 + m4)       24 y2 = 2 ((m1 + m2) + 2 (m3 + m4))
 *   24 y1 = 2 ((m1 - m2) + (m3 - m4))            24 y3 = 2 ((m1 - m2) + 4 (m3 - m4) + 2 m5)
 * The outer factors 2 stay out, so a result is 576, 288 or 144 y. Times the inverse of 9 it is 64, 32 or 16 y, all of
 * it, since |y| < 2^25; a shift to the right then leaves 2 y.
 * Of sums in 8 bits the result itself is asked for, undivided: a shift to the left makes up for the factors. */
#include "wvv_winograd.h"
#include "wvv_winograd_edges.h"
#include "wvv_winograd_f4.h"

enum { TILE = 6, POINTS = 4 };

#if WVV_DSP

wvv_two_outputs wvv_f4_two_outputs, wvv_f4_two_outputs_positive;
wvv_two_outputs wvv_f4_two_outputs8, wvv_f4_two_outputs8_positive;

/* Down the columns both outputs go together, since their sums are neighbours; along the rows one after the other, each
 * row of six taken off the stack at once. Stack: scratch [output][row][column], then stage, out, row_bytes, nine saved
 * registers, column_bytes. */
__asm__(
    ".syntax unified\n"
    ".macro wvv_f4_transform m0, m1, m2, m3, m4, m5\n" /* y0 to y3 come out in m0, m2, m1, m5 */
    "  add \\m1, \\m1, \\m2\n"
    "  sub \\m2, \\m1, \\m2, lsl #1\n"
    "  add \\m3, \\m3, \\m4\n"
    "  sub \\m4, \\m3, \\m4, lsl #1\n"
    "  add \\m0, \\m0, \\m1\n"
    "  add \\m0, \\m3, \\m0, lsl #1\n"
    "  add \\m5, \\m5, \\m4, lsl #1\n"
    "  add \\m5, \\m2, \\m5, lsl #1\n"
    "  add \\m2, \\m2, \\m4\n"
    "  add \\m1, \\m1, \\m3, lsl #1\n"
    ".endm\n"
    ".macro wvv_f4_store y0, y1, y2, y3, at\n"
    "  str \\y0, [sp, #\\at]\n"
    "  str \\y1, [sp, #\\at + 24]\n"
    "  str \\y2, [sp, #\\at + 48]\n"
    "  str \\y3, [sp, #\\at + 72]\n"
    ".endm\n"
    /* r6 twice the bias, r7 mantissa, r8 rounding, r9 shift; r10 the inverse of 9, or all ones where there is a shift;
     * `factors` of 2 were left out. The sign of twice the sum serves as that of the product: they differ only where the
     * product is 0, and there one less rounds to the same. */
    ".macro wvv_f4_finish y, factors, divided, positive, to:vararg\n"
    "  .if \\divided\n"
    "  mul \\y, \\y, r10\n"
    "  add \\y, r6, \\y, asr #(5 - \\factors)\n"
    "  .else\n"
    "  add \\y, r6, \\y, lsl #(1 + \\factors)\n"
    "  .endif\n"
    "  .if \\positive\n"
    "  smmlar \\y, \\y, r7, r8\n"
    "  .else\n"
    "  .if \\divided\n"
    "  add r3, r8, \\y, asr #31\n"
    "  .else\n"
    "  and r3, r10, \\y, asr #31\n"
    "  add r3, r3, r8\n"
    "  .endif\n"
    "  smmlar \\y, \\y, r7, r3\n"
    "  .endif\n"
    "  asr \\y, \\y, r9\n"
    "  ssat \\y, #8, \\y\n"
    "  strb \\y, \\to\n"
    ".endm\n"
    ".macro wvv_f4_row factors, left, last, divided, positive\n" /* left: bytes of scratch after this row */
    "  pop {r0-r5}\n"
    "  wvv_f4_transform r0, r1, r2, r3, r4, r5\n"
    "  wvv_f4_finish r0, \\factors, \\divided, \\positive, [r11]\n"
    "  wvv_f4_finish r2, (\\factors + 1), \\divided, \\positive, [r11, r12]\n"
    "  wvv_f4_finish r1, (\\factors + 1), \\divided, \\positive, [r11, r12, lsl #1]\n"
    "  wvv_f4_finish r5, (\\factors + 1), \\divided, \\positive, [r11, lr]\n"
    "  .if !\\last\n"
    "  ldr r3, [sp, #\\left + 8]\n"
    "  add r11, r11, r3\n"
    "  .endif\n"
    ".endm\n"
    ".macro wvv_f4_rows left, second, divided, positive\n" /* left: bytes of scratch after this output */
    "  ldr r0, [sp, #\\left + 96]\n"
    "  ldr r11, [sp, #\\left + 100]\n"
    "  .if \\second\n"
    "  adds r0, r0, #16\n"
    "  add r11, r11, #1\n"
    "  .endif\n"
    "  ldmia r0, {r6-r9}\n"
    "  .if !\\divided && !\\positive\n"
    "  rsbs r10, r9, #0\n"
    "  sbc r10, r10, r10\n"
    "  .endif\n"
    "  wvv_f4_row 0, \\left + 72, 0, \\divided, \\positive\n"
    "  wvv_f4_row 1, \\left + 48, 0, \\divided, \\positive\n"
    "  wvv_f4_row 1, \\left + 24, 0, \\divided, \\positive\n"
    "  wvv_f4_row 1, \\left, 1, \\divided, \\positive\n"
    ".endm\n"
    ".macro wvv_f4_outputs name, divided, positive\n"
    "  .section .text.\\name, \"ax\", %progbits\n"
    "  .balign 4\n"
    "  .global \\name\n"
    "  .thumb_func\n"
    "  .type \\name, %function\n"
    "\\name:\n"
    "  push {r4-r11, lr}\n"
    "  push {r1-r3}\n"
    "  sub sp, sp, #192\n"
    "  .irp column, 0, 1, 2, 3, 4, 5\n"
    "  ldrd r1, r2, [r0, #16 * \\column]\n"
    "  ldrd r3, r4, [r0, #16 * \\column + 96]\n"
    "  ldrd r5, r6, [r0, #16 * \\column + 192]\n"
    "  ldrd r7, r8, [r0, #16 * \\column + 288]\n"
    "  ldrd r9, r10, [r0, #16 * \\column + 384]\n"
    "  ldrd r11, r12, [r0, #16 * \\column + 480]\n"
    "  wvv_f4_transform r1, r3, r5, r7, r9, r11\n"
    "  wvv_f4_store r1, r5, r3, r11, 4 * \\column\n"
    "  wvv_f4_transform r2, r4, r6, r8, r10, r12\n"
    "  wvv_f4_store r2, r6, r4, r12, 4 * \\column + 96\n"
    "  .endr\n"
    "  ldr r12, [sp, #240]\n"
    "  .if \\divided\n"
    "  movw r10, #0x8e39\n"
    "  movt r10, #0x38e3\n"
    "  .endif\n"
    "  add lr, r12, r12, lsl #1\n"
    "  wvv_f4_rows 96, 0, \\divided, \\positive\n"
    "  wvv_f4_rows 0, 1, \\divided, \\positive\n"
    "  add sp, sp, #12\n"
    "  pop {r4-r11, pc}\n"
    "  .size \\name, . - \\name\n"
    ".endm\n"
    "  wvv_f4_outputs wvv_f4_two_outputs, 1, 0\n"
    "  wvv_f4_outputs wvv_f4_two_outputs_positive, 1, 1\n"
    "  wvv_f4_outputs wvv_f4_two_outputs8, 0, 0\n"
    "  wvv_f4_outputs wvv_f4_two_outputs8_positive, 0, 1\n"
    ".text\n");

#else

static const uint32_t inverse_of_9 = 0x38e38e39u;

static void one_output(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t row_bytes, int32_t column_bytes,
                       int divided) {
  const int32_t away = wvv_away_from_zero(stage, 0);
  uint32_t scratch[TILE][POINTS], y[POINTS];
  for (int column = 0; column < TILE; ++column) {
    wvv_f4_back(m + 4 * column, 4 * TILE, scratch[column]);
  }
  for (int row = 0; row < POINTS; ++row) {
    wvv_f4_back(&scratch[0][row], POINTS, y);
    for (int column = 0; column < POINTS; ++column) {
      const int factors = (row > 0) + (column > 0);
      int8_t* to = out + row * row_bytes + column * column_bytes;
      *to = divided ? wvv_output(stage[0] + wvv_asr(y[column] * inverse_of_9, 5 - factors), stage, 0)
                    : wvv_output_any(stage[0] + (int32_t)(y[column] << (1 + factors)), stage, away);
    }
  }
}

static void wvv_f4_two_outputs(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t row_bytes,
                               int32_t column_bytes) {
  one_output(m, stage, out, row_bytes, column_bytes, 1);
  one_output(m + 1, stage + WVV_STAGE_WORDS, out + 1, row_bytes, column_bytes, 1);
}

static void wvv_f4_two_outputs8(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t row_bytes,
                                int32_t column_bytes) {
  one_output(m, stage, out, row_bytes, column_bytes, 0);
  one_output(m + 1, stage + WVV_STAGE_WORDS, out + 1, row_bytes, column_bytes, 0);
}

#define wvv_f4_two_outputs_positive wvv_f4_two_outputs
#define wvv_f4_two_outputs8_positive wvv_f4_two_outputs8

#endif

WVV_DEFINE_OUTPUT(wvv_f4_output, POINTS, POINTS, wvv_f4_two_outputs)
WVV_DEFINE_OUTPUT(wvv_f4_output_positive, POINTS, POINTS, wvv_f4_two_outputs_positive)
WVV_DEFINE_OUTPUT(wvv_f4_output8, POINTS, POINTS, wvv_f4_two_outputs8)
WVV_DEFINE_OUTPUT(wvv_f4_output8_positive, POINTS, POINTS, wvv_f4_two_outputs8_positive)
