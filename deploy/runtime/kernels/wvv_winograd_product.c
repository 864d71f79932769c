/* The products of a Winograd convolution: for each tap a 2x2 block of sums over all channels. */
#include "wvv_simd.h"
#include "wvv_winograd.h"

#if WVV_DSP

/* All fourteen registers are in use: two pointers, four sums, four words of V and four of U. What else the loops need,
 * M's pointer and where V and U's runs end, stays on the stack. One round of 16 products takes ten instructions. */
__asm__(
    ".syntax unified\n"
    ".macro wvv_quad first\n"
    "  ldmia r0!, {r4-r7}\n"
    "  ldmia r1!, {r8-r11}\n"
    "  .if \\first\n"
    "  smuad r2, r4, r8\n"
    "  smuad r3, r4, r9\n"
    "  smuad r12, r5, r8\n"
    "  smuad lr, r5, r9\n"
    "  .else\n"
    "  smlad r2, r4, r8, r2\n"
    "  smlad r3, r4, r9, r3\n"
    "  smlad r12, r5, r8, r12\n"
    "  smlad lr, r5, r9, lr\n"
    "  .endif\n"
    "  smlad r2, r6, r10, r2\n"
    "  smlad r3, r6, r11, r3\n"
    "  smlad r12, r7, r10, r12\n"
    "  smlad lr, r7, r11, lr\n"
    ".endm\n"
    /* Stack: [0] M, [4] end of V, [8] rounds left in this tap, [12] rounds of a tap. */
    ".macro wvv_product quads\n"
    "  .section .text.wvv_product_\\quads, \"ax\", %progbits\n"
    "  .balign 4\n"
    "  .global wvv_product_\\quads\n"
    "  .thumb_func\n"
    "  .type wvv_product_\\quads, %function\n"
    "wvv_product_\\quads:\n"
    "  mov r12, #16 * \\quads\n"
    "  mla r3, r3, r12, r0\n"
    "  push {r4-r11, lr}\n"
    "  push {r2, r3}\n"
    "1:\n"
    "  wvv_quad 1\n"
    "  .rept \\quads - 1\n"
    "  wvv_quad 0\n"
    "  .endr\n"
    "  ldrd r4, r5, [sp]\n"
    "  stmia r4!, {r2, r3, r12, lr}\n"
    "  str r4, [sp]\n"
    "  cmp r0, r5\n"
    "  bne 1b\n"
    "  add sp, sp, #8\n"
    "  pop {r4-r11, pc}\n"
    "  .size wvv_product_\\quads, . - wvv_product_\\quads\n"
    ".endm\n"
    ".macro wvv_product_in_rounds quads\n"
    "  .section .text.wvv_product_\\quads\\()n, \"ax\", %progbits\n"
    "  .balign 4\n"
    "  .global wvv_product_\\quads\\()n\n"
    "  .thumb_func\n"
    "  .type wvv_product_\\quads\\()n, %function\n"
    "wvv_product_\\quads\\()n:\n"
    "  ldr r12, [sp]\n"
    "  push {r4-r11, lr}\n"
    "  mov r4, #16 * \\quads\n"
    "  mul r4, r4, r12\n"
    "  mla r3, r3, r4, r0\n"
    "  push {r2, r3, r4, r12}\n"
    "1:\n"
    "  ldr r4, [sp, #12]\n"
    "  str r4, [sp, #8]\n"
    "  mov r2, #0\n"
    "  mov r3, #0\n"
    "  mov r12, #0\n"
    "  mov lr, #0\n"
    "2:\n"
    "  .rept \\quads\n"
    "  wvv_quad 0\n"
    "  .endr\n"
    "  ldr r4, [sp, #8]\n"
    "  subs r4, r4, #1\n"
    "  str r4, [sp, #8]\n"
    "  bne 2b\n"
    "  ldrd r4, r5, [sp]\n"
    "  stmia r4!, {r2, r3, r12, lr}\n"
    "  str r4, [sp]\n"
    "  cmp r0, r5\n"
    "  bne 1b\n"
    "  add sp, sp, #16\n"
    "  pop {r4-r11, pc}\n"
    "  .size wvv_product_\\quads\\()n, . - wvv_product_\\quads\\()n\n"
    ".endm\n"
    ".irp quads, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16\n"
    "  wvv_product \\quads\n"
    "  wvv_product_in_rounds \\quads\n"
    ".endr\n"
    ".text\n");

#else

static void products(const uint32_t* v, const int32_t* u, uint32_t* m, int32_t taps, int32_t quads) {
  for (; taps; --taps, m += 4) {
    memset(m, 0, 4 * sizeof *m);
    for (int32_t pairs = 2 * quads; pairs; --pairs, v += 2, u += 2) {
      for (int k = 0; k < 4; ++k) {
        m[k] = wvv_smlad(v[k >> 1], (uint32_t)u[k & 1], m[k]);
      }
    }
  }
}

#define WVV_DEFINE(quads)                                                                                     \
  void wvv_product_##quads(const uint32_t* v, const int32_t* u, uint32_t* m, int32_t taps) {                 \
    products(v, u, m, taps, quads);                                                                           \
  }                                                                                                           \
  void wvv_product_##quads##n(const uint32_t* v, const int32_t* u, uint32_t* m, int32_t taps, int32_t rounds) { \
    products(v, u, m, taps, (quads) * rounds);                                                                \
  }
WVV_EACH_COUNT_OF_QUADS(WVV_DEFINE)

#endif
