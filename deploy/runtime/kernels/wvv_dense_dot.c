#include "wvv_dense.h"
#include "wvv_simd.h"

#if WVV_DSP

#define STR_(x) #x
#define STR(x) STR_(x)

/* Bytes of code of one group: 2 + 2 + 16 * 4. */
#define GROUP_BYTES 68
#define UNROLLED 8

#define OUTPUT(sum, weights)                      \
  "sxtb16 r12, " weights "\n\t"                   \
  "sxtb16 " weights ", " weights ", ror #8\n\t"   \
  "smlad " sum ", r2, r12, " sum "\n\t"           \
  "smlad " sum ", r3, " weights ", " sum "\n\t"

/* r0 row, lr its end, r1 weights, r8 to r11 the sums. */
__attribute__((naked)) void wvv_dot_quad(const uint32_t *x, const uint32_t *x_end, const uint32_t *weights,
                                         int32_t sums[4]) {
  (void)x, (void)x_end, (void)weights, (void)sums;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r3-r11, lr}\n\t"
      "ldmia r3, {r8-r11}\n\t"
      "mov lr, r1\n\t"
      "mov r1, r2\n\t"
      /* The first round is the one that is not whole: 1 to 8 groups, entered in the middle. */
      "sub r2, lr, r0\n\t"
      "sub r2, r2, #8\n\t"
      "ubfx r2, r2, #3, #3\n\t"
      "mov r3, #" STR(GROUP_BYTES) "\n\t"
      "mla r2, r2, r3, r3\n\t"
      "adr.w r3, 1f\n\t"
      "sub r3, r3, r2\n\t"
      "orr r3, r3, #1\n\t"
      "bx r3\n"
      "0:\n\t"
      ".rept " STR(UNROLLED) "\n\t"
      "ldmia.n r0!, {r2, r3}\n\t"
      "ldmia.n r1!, {r4-r7}\n\t"
      OUTPUT("r8", "r4") OUTPUT("r9", "r5") OUTPUT("r10", "r6") OUTPUT("r11", "r7")
      ".endr\n"
      "1:\n\t"
      "cmp r0, lr\n\t"
      "bne 0b\n\t"
      "ldr r3, [sp]\n\t"
      "stmia r3, {r8-r11}\n\t"
      "pop {r3-r11, pc}\n\t");
}

#endif

void wvv_dot_quad_portable(const uint32_t *x, const uint32_t *x_end, const uint32_t *weights, int32_t sums[4]) {
  for (; x != x_end; x += 2, weights += 4) {
    for (int32_t o = 0; o < 4; ++o) {
      uint32_t sum = (uint32_t)sums[o];
      for (int32_t k = 0; k < 4; ++k) {
        const int32_t input = k < 2 ? wvv_low(x[k & 1]) : wvv_high(x[k & 1]);
        sum += (uint32_t)(input * (int8_t)(uint8_t)(weights[o] >> (8 * k)));
      }
      sums[o] = (int32_t)sum;
    }
  }
}

#if !WVV_DSP
void wvv_dot_quad(const uint32_t *x, const uint32_t *x_end, const uint32_t *weights, int32_t sums[4]) {
  wvv_dot_quad_portable(x, x_end, weights, sums);
}
#endif
