/* Input transform of F(4x4, 3x3) over the points 0, 1, -1, 2, -2 and infinity.
 *
 * In one dimension (the catalog's B with the rows of 1 and -1 negated; `winograd_dsp.py` negates U's to match):
 *   v0 = 4 d0 - 5 d2 + d4      v1 = -4 d1 - 4 d2 + d3 + d4     v2 = 4 d1 - 4 d2 - d3 + d4
 *   v3 = -2 d1 - d2 + 2 d3 + d4     v4 = 2 d1 - d2 - 2 d3 + d4      v5 = 4 d1 - 5 d3 + d5
 * A word holds two channels as high * 2^16 + low, a number on which plain additions and shifts act: a negative low half
 * borrows from the high one until the end. Inputs become non-negative (+ 128); those that v0 to v4, and v5, take once
 * get 2^15 more, so every result's low half is offset by 2^15 and nothing is borrowed; one exclusive or takes it off.
 * Only B's row of the point 1 does not add up to zero, but to -6: one tap has 36 (128 + zero point) too much. */
#include "wvv_winograd.h"
#include "wvv_winograd_edges.h"
#include "wvv_winograd_f4.h"

enum { TILE = 6 };

#if WVV_DSP

/* The constant, a pair as a number, is subtracted at the point 1 of both axes. */
wvv_quad wvv_f4_quad;

/* First down each column: six words (r4-r9) give two pairs one after the other, which go to scratch [pair][row][column]
 * on the stack. Then along the rows, each taken off the stack at once. Above scratch: v, step, nine registers, the last
 * two arguments. */
__asm__(
    ".syntax unified\n"
    ".macro wvv_f4_column pair, at, more, turn:vararg\n"
    "  sxtab16 r2, lr, r4 \\turn\n"
    "  sxtab16 r3, lr, r6 \\turn\n"
    "  sxtab16 r10, lr, r8 \\turn\n"
    "  .if \\more\n"
    "  add r10, r10, #0x8000\n"
    "  .endif\n"
    "  sub r2, r2, r3\n"
    "  sub r11, r10, r3, lsl #2\n"
    "  sub r10, r10, r3\n"
    "  add r2, r10, r2, lsl #2\n"
    "  str r2, [sp, #\\at]\n"
    "  sxtab16 r2, lr, r5 \\turn\n"
    "  sxtab16 r3, lr, r7 \\turn\n"
    "  sub r12, r3, r2, lsl #2\n"
    "  add r11, r11, r12\n"
    "  str r11, [sp, #\\at + 24]\n"
    "  sub r11, r11, r12, lsl #1\n"
    "  str r11, [sp, #\\at + 48]\n"
    "  sub r2, r3, r2\n"
    "  sxtab16 r11, lr, r9 \\turn\n"
    "  .if \\more\n"
    "  add r11, r11, #0x8000\n"
    "  .endif\n"
    "  sub r11, r11, r3\n"
    "  sub r11, r11, r2, lsl #2\n"
    "  str r11, [sp, #\\at + 120]\n"
    "  add r11, r10, r2, lsl #1\n"
    "  str r11, [sp, #\\at + 72]\n"
    "  sub r11, r10, r2, lsl #1\n"
    "  str r11, [sp, #\\at + 96]\n"
    ".endm\n"
    ".macro wvv_f4_input_row constant\n"
    "  pop {r4-r9}\n"
    "  sub r10, r8, r6, lsl #2\n"
    "  sub r8, r8, r6\n"
    "  sub r4, r4, r6\n"
    "  add r4, r8, r4, lsl #2\n"
    "  sub r11, r7, r5, lsl #2\n"
    "  sub r5, r7, r5\n"
    "  sub r9, r9, r7\n"
    "  sub r9, r9, r5, lsl #2\n"
    "  add r6, r10, r11\n"
    "  sub r7, r10, r11\n"
    "  add r10, r8, r5, lsl #1\n"
    "  sub r11, r8, r5, lsl #1\n"
    "  .if \\constant\n"
    "  sub r6, r6, lr\n"
    "  .endif\n"
    "  .irp value, r4, r6, r7, r10, r11, r9\n"
    "  eor \\value, \\value, #0x8000\n"
    "  .endr\n"
    "  str r4, [r0]\n"
    "  str r6, [r0, r1]\n"
    "  str r7, [r0, r1, lsl #1]\n"
    "  str r10, [r2]\n"
    "  str r11, [r2, r1]\n"
    "  str r9, [r2, r1, lsl #1]\n"
    ".endm\n"
    ".macro wvv_f4_input_rows\n"
    "  add r2, r0, r3, lsr #1\n"
    "  .irp row, 0, 1, 2, 3, 4, 5\n"
    "  wvv_f4_input_row (\\row == 1)\n"
    "  .if \\row < 5\n"
    "  add r0, r0, r3\n"
    "  add r2, r2, r3\n"
    "  .endif\n"
    "  .endr\n"
    ".endm\n"
    "  .section .text.wvv_f4_quad, \"ax\", %progbits\n"
    "  .balign 4\n"
    "  .global wvv_f4_quad\n"
    "  .thumb_func\n"
    "  .type wvv_f4_quad, %function\n"
    "wvv_f4_quad:\n"
    "  push {r4-r11, lr}\n"
    "  push {r2, r3}\n"
    "  sub sp, sp, #288\n"
    "  mov lr, #0x00800080\n"
    "  .irp column, 0, 1, 2, 3, 4, 5\n"
    "  add r2, r1, r1, lsl #1\n"
    "  add r2, r0, r2\n"
    "  ldr r4, [r0]\n"
    "  ldr r5, [r0, r1]\n"
    "  ldr r6, [r0, r1, lsl #1]\n"
    "  ldr r7, [r2]\n"
    "  ldr r8, [r2, r1]\n"
    "  ldr r9, [r2, r1, lsl #1]\n"
    "  wvv_f4_column 0, 4 * \\column, (\\column >= 4)\n"
    "  wvv_f4_column 1, 4 * \\column + 144, (\\column >= 4), , ror #8\n"
    "  .if \\column < 5\n"
    "  ldr r2, [sp, #332]\n"
    "  add r0, r0, r2\n"
    "  .endif\n"
    "  .endr\n"
    "  ldrd r0, r1, [sp, #288]\n"
    "  ldr lr, [sp, #336]\n"
    "  add r3, r1, r1, lsl #1\n"
    "  lsl r3, r3, #1\n"
    "  wvv_f4_input_rows\n"
    "  ldr r0, [sp, #144]\n"
    "  add r0, r0, #8\n"
    "  wvv_f4_input_rows\n"
    "  add sp, sp, #8\n"
    "  pop {r4-r11, pc}\n"
    "  .size wvv_f4_quad, . - wvv_f4_quad\n"
    ".text\n");

#else

static void wvv_f4_quad(const int8_t* x, int32_t row_bytes, uint32_t* v, int32_t step, int32_t column_bytes,
                        uint32_t constants) {
  uint32_t d[TILE][TILE], by_columns[TILE][TILE], made[TILE];
  for (int pair = 0; pair < 2; ++pair) {
    for (int row = 0; row < TILE; ++row) {
      for (int column = 0; column < TILE; ++column) {
        const uint32_t word = wvv_load4(x + row * row_bytes + column * column_bytes) >> 8 * pair;
        d[row][column] = wvv_sxtab16(0x00800080u, word) + (row >= 4 && column >= 4 ? 0x8000u : 0);
      }
    }
    for (int column = 0; column < TILE; ++column) {
      wvv_f4_into(&d[0][column], TILE, by_columns[column]);
    }
    for (int row = 0; row < TILE; ++row) {
      wvv_f4_into(&by_columns[0][row], TILE, made);
      made[1] -= row == 1 ? constants : 0;
      for (int column = 0; column < TILE; ++column) {
        v[(row * TILE + column) * (step / WVV_WORD) + 2 * pair] = made[column] ^ 0x8000u;
      }
    }
  }
}

#endif

WVV_DEFINE_INPUT(wvv_f4_input, TILE, TILE, wvv_f4_quad, (uint32_t)(36 * (zero_point + 128)) * 0x10001u)
