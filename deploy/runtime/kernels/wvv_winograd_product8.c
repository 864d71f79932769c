/* The products of a Winograd convolution in 8 bits: those of `wvv_winograd_product.c` with U in bytes, and each sum
 * rounded and weighted while it is still in a register.
 *
 * Of each half of a word of U, the lower byte belongs to the first output; the whole half is 256 u1 + u0, and is
 * multiplied as it is. So only one of two words needs to be made, and the second sum is what is left of the mixed one:
 * (sum of V (256 u1 + u0) - sum of V u0) / 256, modulo 2^32 until the end. */
#include "wvv_simd.h"
#include "wvv_winograd.h"

#if WVV_DSP

/* Registers: two pointers, four sums, four words of V, two of U and two made of them. One round of 16 products takes
 * twelve instructions, two of them for the bytes. */
__asm__(
    ".syntax unified\n"
    ".macro wvv_quad8 first\n"
    "  ldmia r0!, {r4-r7}\n"
    "  ldrd r10, r11, [r1], #8\n"
    "  sxtb16 r8, r10\n"
    "  sxtb16 r9, r11\n"
    "  .if \\first\n"
    "  smuad r2, r4, r8\n"
    "  smuad r3, r4, r10\n"
    "  smuad r12, r5, r8\n"
    "  smuad lr, r5, r10\n"
    "  .else\n"
    "  smlad r2, r4, r8, r2\n"
    "  smlad r3, r4, r10, r3\n"
    "  smlad r12, r5, r8, r12\n"
    "  smlad lr, r5, r10, lr\n"
    "  .endif\n"
    "  smlad r2, r6, r9, r2\n"
    "  smlad r3, r6, r11, r3\n"
    "  smlad r12, r7, r9, r12\n"
    "  smlad lr, r7, r11, lr\n"
    ".endm\n"
    /* Two mantissas and both factors follow the weights; M's pointer and where V ends are on top of the stack. */
    ".macro wvv_round_sums8\n"
    "  ldmia r1!, {r4-r6}\n"
    "  sub r3, r3, r2\n"
    "  sub lr, lr, r12\n"
    "  asr r3, r3, #8\n"
    "  asr lr, lr, #8\n"
    "  smmulr r2, r2, r4\n"
    "  smmulr r3, r3, r5\n"
    "  smmulr r12, r12, r4\n"
    "  smmulr lr, lr, r5\n"
    "  .irp sum, r2, r3, r12, lr\n"
    "  ssat \\sum, #8, \\sum\n"
    "  .endr\n"
    "  smulbb r2, r2, r6\n"
    "  smulbt r3, r3, r6\n"
    "  smulbb r12, r12, r6\n"
    "  smulbt lr, lr, r6\n"
    "  ldrd r4, r5, [sp]\n"
    "  stmia r4!, {r2, r3, r12, lr}\n"
    "  str r4, [sp]\n"
    "  cmp r0, r5\n"
    ".endm\n"
    ".macro wvv_product8 quads\n"
    "  .section .text.wvv_product8_\\quads, \"ax\", %progbits\n"
    "  .balign 4\n"
    "  .global wvv_product8_\\quads\n"
    "  .thumb_func\n"
    "  .type wvv_product8_\\quads, %function\n"
    "wvv_product8_\\quads:\n"
    "  mov r12, #16 * \\quads\n"
    "  mla r3, r3, r12, r0\n"
    "  push {r4-r11, lr}\n"
    "  push {r2, r3}\n"
    "1:\n"
    "  wvv_quad8 1\n"
    "  .rept \\quads - 1\n"
    "  wvv_quad8 0\n"
    "  .endr\n"
    "  wvv_round_sums8\n"
    "  bne 1b\n"
    "  add sp, sp, #8\n"
    "  pop {r4-r11, pc}\n"
    "  .size wvv_product8_\\quads, . - wvv_product8_\\quads\n"
    ".endm\n"
    /* Stack: [0] M, [4] end of V, [8] rounds left in this tap, [12] rounds of a tap. */
    ".macro wvv_product8_in_rounds quads\n"
    "  .section .text.wvv_product8_\\quads\\()n, \"ax\", %progbits\n"
    "  .balign 4\n"
    "  .global wvv_product8_\\quads\\()n\n"
    "  .thumb_func\n"
    "  .type wvv_product8_\\quads\\()n, %function\n"
    "wvv_product8_\\quads\\()n:\n"
    "  ldr r12, [sp]\n"
    "  push {r4-r11, lr}\n"
    "  mov r4, #16 * \\quads\n"
    "  mul r4, r4, r12\n"
    "  mla r3, r3, r4, r0\n"
    "  push {r2, r3, r4, r12}\n"
    "1:\n"
    "  ldr r4, [sp, #12]\n"
    "  str r4, [sp, #8]\n"
    "  ldrd r2, r3, [r1], #8\n"
    "  mov r12, r2\n"
    "  mov lr, r3\n"
    "2:\n"
    "  .rept \\quads\n"
    "  wvv_quad8 0\n"
    "  .endr\n"
    "  ldr r4, [sp, #8]\n"
    "  subs r4, r4, #1\n"
    "  str r4, [sp, #8]\n"
    "  bne 2b\n"
    "  wvv_round_sums8\n"
    "  bne 1b\n"
    "  add sp, sp, #16\n"
    "  pop {r4-r11, pc}\n"
    "  .size wvv_product8_\\quads\\()n, . - wvv_product8_\\quads\\()n\n"
    ".endm\n"
    ".irp quads, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16\n"
    "  wvv_product8 \\quads\n"
    "  wvv_product8_in_rounds \\quads\n"
    ".endr\n"
    ".text\n");

#else

static void products(const uint32_t* v, const int32_t* u, uint32_t* m, int32_t taps, int32_t quads, int starts) {
  for (; taps; --taps, m += 4) {
    for (int k = 0; k < 4; ++k) {
      m[k] = starts ? (uint32_t)u[k & 1] : 0;
    }
    u += starts ? 2 : 0;
    for (int32_t pairs = 2 * quads; pairs; --pairs, v += 2, ++u) {
      for (int k = 0; k < 4; ++k) {
        m[k] = wvv_smlad(v[k >> 1], k & 1 ? (uint32_t)*u : wvv_sxtb16((uint32_t)*u), m[k]);
      }
    }
    m[1] = (uint32_t)wvv_asr(m[1] - m[0], 8);
    m[3] = (uint32_t)wvv_asr(m[3] - m[2], 8);
    for (int k = 0; k < 4; ++k) {
      const int32_t factor = k & 1 ? wvv_high((uint32_t)u[2]) : wvv_low((uint32_t)u[2]);
      m[k] = (uint32_t)(wvv_ssat8(wvv_smmulr((int32_t)m[k], u[k & 1])) * factor);
    }
    u += 3;
  }
}

#define WVV_DEFINE(quads)                                                                                        \
  void wvv_product8_##quads(const uint32_t* v, const int32_t* u, uint32_t* m, int32_t taps) {                   \
    products(v, u, m, taps, quads, 0);                                                                           \
  }                                                                                                              \
  void wvv_product8_##quads##n(const uint32_t* v, const int32_t* u, uint32_t* m, int32_t taps, int32_t rounds) { \
    products(v, u, m, taps, (quads) * rounds, 1);                                                                \
  }
WVV_EACH_COUNT_OF_QUADS(WVV_DEFINE)

#endif
