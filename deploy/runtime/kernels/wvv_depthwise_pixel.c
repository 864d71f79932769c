#include "wvv_depthwise.h"
#include "wvv_gemm.h"
#include "wvv_simd.h"

#if WVV_DSP

#define OUTPUT "[sp]"
#define WEIGHTS_END "[sp, #4]"
#define FINISH "[sp, #8]"
#define CLAMP "[sp, #12]"
#define FRAME "20"

/* Four channels of a tap: r8 holds them, r9 and r10 their weights. */
#define TAP(load)                        \
  load "\n\t"                            \
  "ldmia r5!, {r9, r10}\n\t"             \
  "sxtb16 r7, r8\n\t"                    \
  "sxtb16 r8, r8, ror #8\n\t"            \
  "smlabb r6, r7, r9, r6\n\t"          \
  "smlatt r12, r7, r9, r12\n\t"            \
  "smlabb r11, r8, r10, r11\n\t"         \
  "smlatt lr, r8, r10, lr\n\t"

#define ROW(row) TAP("ldr r8, [" row "], #4") TAP("ldr r8, [" row ", r3]") TAP("ldr r8, [" row ", r4]")

#define SCALE_POSITIVE(sum)                  \
  "ldmia r5!, {r7, r8, r9}\n\t"              \
  "smmlar " sum ", " sum ", r7, r8\n\t"      \
  "asr " sum ", " sum ", r9\n\t"             \
  "ssat " sum ", #8, " sum "\n\t"

#define SCALE(sum)                           \
  "ldmia r5!, {r7, r8, r9}\n\t"              \
  "add r8, r8, " sum ", asr #31\n\t"         \
  "smmlar " sum ", " sum ", r7, r8\n\t"      \
  "asr " sum ", " sum ", r9\n\t"             \
  "ssat " sum ", #8, " sum "\n\t"

#define FOUR(scale) scale("r6") scale("r11") scale("r12") scale("lr")

#define PACK                      \
  "ldr r8, " OUTPUT "\n\t"        \
  "ldr r9, " WEIGHTS_END "\n\t"   \
  "bfi r6, r11, #8, #8\n\t"      \
  "bfi r6, r12, #16, #8\n\t"      \
  "bfi r6, lr, #24, #8\n\t"

#define STORE                     \
  "str r6, [r8], #4\n\t"         \
  "str r8, " OUTPUT "\n\t"        \
  "cmp r5, r9\n\t"                \
  "bne 1b\n\t"                    \
  "add sp, #" FRAME "\n\t"        \
  "pop {r4-r11, pc}\n\t"

/* r0, r1, r2 rows; r3, r4 from their pointers, which have moved on, to the other columns; r5 weights; sums of the four
 * channels in r6, r11, r12, lr. */
__attribute__((naked)) void wvv_depthwise_pixel(const struct wvv_depthwise *job, const int8_t *const rows[3],
                                                int8_t *y) {
  (void)job, (void)rows, (void)y;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4-r11, lr}\n\t"
      "sub sp, #" FRAME "\n\t"
      "ldmia r0, {r5-r10}\n\t"
      "str r2, " OUTPUT "\n\t"
      "str r6, " WEIGHTS_END "\n\t"
      "strd r9, r10, " CLAMP "\n\t"
      "adr.w r6, 3f\n\t"
      "cmp r8, #1\n\t"
      "it eq\n\t"
      "adreq.w r6, 4f\n\t"
      "it gt\n\t"
      "adrgt.w r6, 5f\n\t"
      "orr r6, r6, #1\n\t"
      "str r6, " FINISH "\n\t"
      "sub r3, r7, #4\n\t"
      "add r4, r3, r7\n\t"
      "ldmia r1, {r0, r1, r2}\n"
      "1:\n\t"
      "ldmia r5!, {r6, r11, r12, lr}\n\t" ROW("r0") ROW("r1") ROW("r2")
      "ldr.w pc, " FINISH "\n"
      "3:\n\t" FOUR(SCALE) PACK STORE
      "4:\n\t" FOUR(SCALE_POSITIVE) PACK STORE
      "5:\n\t" FOUR(SCALE) PACK
      "ldrd r7, r10, " CLAMP "\n\t"
      "ssub8 r11, r6, r7\n\t"
      "sel r6, r6, r7\n\t"
      "ssub8 r11, r10, r6\n\t"
      "sel r6, r6, r10\n\t" STORE);
}

#endif

void wvv_depthwise_pixel_portable(const struct wvv_depthwise *job, const int8_t *const rows[3], int8_t *y) {
  int32_t first = 0;
  for (const int32_t *w = job->weights; w != job->weights_end; w += WVV_QUAD_WORDS, first += 4) {
    for (int32_t c = 0; c < 4; ++c) {
      uint32_t sum = (uint32_t)w[c];
      for (int32_t tap = 0; tap < WVV_QUAD_TAPS; ++tap) {
        const uint32_t pair = (uint32_t)w[4 + 2 * tap + (c & 1)];
        const int32_t x = rows[tap / 3][tap % 3 * job->step + first + c];
        sum += (uint32_t)(x * (c < 2 ? wvv_low(pair) : wvv_high(pair)));
      }
      y[first + c] = wvv_finished(sum, w + 4 + 2 * WVV_QUAD_TAPS + 3 * c, job->finish, job->low, job->high);
    }
  }
}

#if !WVV_DSP
void wvv_depthwise_pixel(const struct wvv_depthwise *job, const int8_t *const rows[3], int8_t *y) {
  wvv_depthwise_pixel_portable(job, rows, y);
}
#endif
