/* From a sum to an int8 output in the reference's two roundings, where both are short: |sum + bias| < 2^30 and the
 * shift is 1 to 22 places to the right (`kernels/fixed_point.py` has the formulas).
 *
 * A stage is four words for each output channel: twice the bias, the mantissa, what is added before the shift (half of
 * its unit, and the zero point shifted), and the shift. */
#ifndef WVV_REQUANTIZE_H_
#define WVV_REQUANTIZE_H_

#include "wvv_simd.h"

enum { WVV_STAGE_WORDS = 4 };

/* `doubled` is twice a sum with its bias. The product's upper word, rounded, is floor(sum * mantissa / 2^31 + 1/2);
 * halves of the second rounding go away from zero, so a negative number is one less before it. The sign of the sum
 * serves: it differs from that of the product only where the product is 0, and there one less rounds to the same. */
static inline int32_t wvv_rescaled(int32_t doubled, const int32_t stage[WVV_STAGE_WORDS]) {
  return (wvv_smmulr(doubled, stage[1]) + (doubled >> 31) + stage[2]) >> stage[3];
}

/* The same where the clamp begins at the zero point or above, so that no negative number shows. */
static inline int32_t wvv_rescaled_positive(int32_t doubled, const int32_t stage[WVV_STAGE_WORDS]) {
  return (wvv_smmulr(doubled, stage[1]) + stage[2]) >> stage[3];
}

/* `positive` as a constant chooses between them; what comes out is held within int8. */
static inline __attribute__((always_inline)) int8_t wvv_output(int32_t doubled, const int32_t stage[WVV_STAGE_WORDS],
                                                               int positive) {
  return (int8_t)wvv_ssat8(positive ? wvv_rescaled_positive(doubled, stage) : wvv_rescaled(doubled, stage));
}

/* Where the shift may also be none, and the product's rounding is the only one: all ones if halves of a second one go
 * away from zero. It is the third argument of `wvv_output_any`. */
static inline int32_t wvv_away_from_zero(const int32_t stage[WVV_STAGE_WORDS], int positive) {
  return positive || stage[3] == 0 ? 0 : -1;
}

static inline int8_t wvv_output_any(int32_t doubled, const int32_t stage[WVV_STAGE_WORDS], int32_t away) {
  return (int8_t)wvv_ssat8((wvv_smmulr(doubled, stage[1]) + ((doubled >> 31) & away) + stage[2]) >> stage[3]);
}

#endif
