#include "wvv_gemm.h"

#include "wvv_simd.h"

#if WVV_DSP

#define STR_(x) #x
#define STR(x) STR_(x)

/* Bytes of code of one group: 2 + 4 + 8 * 4. */
#define GROUP_BYTES 38
#define UNROLLED 16

/* The frame; no register is left for what is not needed in every group. */
#define COLUMNS "[sp]"
#define ENTRY "[sp, #4]"
#define COLUMNS_END "[sp, #8]"
#define WEIGHTS_END "[sp, #12]"
#define OUTPUTS "[sp, #16]"
#define FINISH "[sp, #24]"
#define CLAMP "[sp, #28]"
#define FRAME "36"

#define SCALE_POSITIVE(sum, mantissa, rounding, right)                                                             \
  "smmlar " sum ", " sum ", " mantissa ", " rounding "\n\t"                                                        \
  "asr " sum ", " sum ", " right "\n\t"                                                                            \
  "ssat " sum ", #8, " sum "\n\t"

#define SCALE(sum, mantissa, rounding, right)                                                                      \
  "add r0, " rounding ", " sum ", asr #31\n\t"                                                                     \
  "smmlar " sum ", " sum ", " mantissa ", r0\n\t"                                                                  \
  "asr " sum ", " sum ", " right "\n\t"                                                                            \
  "ssat " sum ", #8, " sum "\n\t"

#define FOUR(scale)                                                                                                \
  scale("r10", "r2", "r3", "r4") scale("r11", "r5", "r6", "r7") scale("r12", "r2", "r3", "r4")                     \
      scale("lr", "r5", "r6", "r7")

/* The second pixel first: where there is none its place is that of the first. */
#define STORE                                                                                                      \
  "ldrd r0, r9, " OUTPUTS "\n\t"                                                                                   \
  "bfi r12, lr, #8, #8\n\t"                                                                                        \
  "bfi r10, r11, #8, #8\n\t"                                                                                       \
  "strh r12, [r9], #2\n\t"                                                                                         \
  "strh r10, [r0], #2\n\t"                                                                                         \
  "strd r0, r9, " OUTPUTS "\n\t"

#define NEXT_CHANNELS                                                                                              \
  "ldr r2, " WEIGHTS_END "\n\t"                                                                                    \
  "cmp r1, r2\n\t"                                                                                                 \
  "bne 1b\n\t"                                                                                                     \
  "add sp, #" FRAME "\n\t"                                                                                         \
  "pop {r4-r11, pc}\n\t"

/* r0 columns, r1 weights, r2-r5 two pixels, r6-r9 two channels; r10, r11, r12, lr their sums. */
__attribute__((naked)) void wvv_gemm_pair(const struct wvv_gemm *job, int8_t *y0, int8_t *y1) {
  (void)job, (void)y0, (void)y1;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4-r11, lr}\n\t"
      "sub sp, #" FRAME "\n\t"
      "ldmia r0, {r3-r9}\n\t"
      "str r3, " COLUMNS "\n\t"
      "strd r4, r6, " COLUMNS_END "\n\t"
      "strd r1, r2, " OUTPUTS "\n\t"
      "strd r8, r9, " CLAMP "\n\t"
      "mov r1, r5\n\t"
      /* The first round is the one that is not whole: 1 to 16 groups, entered in the middle. */
      "sub r4, r4, r3\n\t"
      "sub r4, r4, #16\n\t"
      "ubfx r4, r4, #4, #4\n\t"
      "mov r5, #" STR(GROUP_BYTES) "\n\t"
      "mla r4, r4, r5, r5\n\t"
      "adr.w r5, 2f\n\t"
      "sub r5, r5, r4\n\t"
      "orr r5, r5, #1\n\t"
      "str r5, " ENTRY "\n\t"
      "adr.w r5, 3f\n\t"
      "cmp r7, #1\n\t"
      "it eq\n\t"
      "adreq.w r5, 4f\n\t"
      "it gt\n\t"
      "adrgt.w r5, 5f\n\t"
      "orr r5, r5, #1\n\t"
      "str r5, " FINISH "\n"
      "1:\n\t"
      "ldmia r1!, {r10, r11, r12, lr}\n\t"
      "ldr r0, " COLUMNS "\n\t"
      "ldr.w pc, " ENTRY "\n"
      "0:\n\t"
      ".rept " STR(UNROLLED) "\n\t"
      "ldmia.n r0!, {r2-r5}\n\t"
      "ldmia.w r1!, {r6-r9}\n\t"
      "smlad r10, r2, r6, r10\n\t"
      "smlad r11, r2, r8, r11\n\t"
      "smlad r12, r4, r6, r12\n\t"
      "smlad lr, r4, r8, lr\n\t"
      "smlad r10, r3, r7, r10\n\t"
      "smlad r11, r3, r9, r11\n\t"
      "smlad r12, r5, r7, r12\n\t"
      "smlad lr, r5, r9, lr\n\t"
      ".endr\n"
      "2:\n\t"
      "ldr r2, " COLUMNS_END "\n\t"
      "cmp r0, r2\n\t"
      "bne 0b\n\t"
      "ldmia r1!, {r2-r7}\n\t"
      "ldr.w pc, " FINISH "\n"
      "3:\n\t" FOUR(SCALE) STORE NEXT_CHANNELS
      "4:\n\t" FOUR(SCALE_POSITIVE) STORE NEXT_CHANNELS
      "5:\n\t" FOUR(SCALE)
      "ldrd r6, r7, " CLAMP "\n\t"
      "bfi r10, r11, #8, #8\n\t"
      "bfi r10, r12, #16, #8\n\t"
      "bfi r10, lr, #24, #8\n\t"
      "ssub8 r0, r10, r6\n\t"
      "sel r10, r10, r6\n\t"
      "ssub8 r0, r7, r10\n\t"
      "sel r10, r10, r7\n\t"
      "uxtb r11, r10, ror #8\n\t"
      "uxtb r12, r10, ror #16\n\t"
      "uxtb lr, r10, ror #24\n\t" STORE NEXT_CHANNELS);
}

#endif

static uint32_t dual(uint32_t a, uint32_t b, uint32_t sum) {
  return sum + (uint32_t)(wvv_low(a) * wvv_low(b)) + (uint32_t)(wvv_high(a) * wvv_high(b));
}

void wvv_gemm_pair_portable(const struct wvv_gemm *job, int8_t *y0, int8_t *y1) {
  int32_t channel = 0;
  for (const int32_t *w = job->weights; w != job->weights_end; w += WVV_SCALE_WORDS, channel += 2) {
    uint32_t sums[2][2] = {{(uint32_t)w[0], (uint32_t)w[1]}, {(uint32_t)w[0], (uint32_t)w[1]}};
    w += WVV_BIAS_WORDS;
    for (const uint32_t *x = job->columns; x != job->columns_end; x += WVV_GROUP_WORDS, w += WVV_GROUP_WORDS) {
      for (int32_t n = 0; n < WVV_GROUP_WORDS; ++n) {
        const int32_t pixel = n >> 1, o = n & 1;
        sums[pixel][o] = dual(x[2 * pixel], (uint32_t)w[2 * o], sums[pixel][o]);
        sums[pixel][o] = dual(x[2 * pixel + 1], (uint32_t)w[2 * o + 1], sums[pixel][o]);
      }
    }
    for (int32_t o = 0; o < 2; ++o) {
      y1[channel + o] = wvv_finished(sums[1][o], w + 3 * o, job->finish, job->low, job->high);
      y0[channel + o] = wvv_finished(sums[0][o], w + 3 * o, job->finish, job->low, job->high);
    }
  }
}

#if !WVV_DSP
void wvv_gemm_pair(const struct wvv_gemm *job, int8_t *y0, int8_t *y1) { wvv_gemm_pair_portable(job, y0, y1); }
#endif
