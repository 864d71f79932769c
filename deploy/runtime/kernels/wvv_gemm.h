/* Two columns of int16 inputs times all output channels, two by two: where convolutions on DSP cores spend their time.
 *
 * Operands come in groups of four taps.  A group is 16 bytes: taps 0 and 2, 1 and 3 of the first pixel (or channel),
 * then the same of the second.  `weights` is one stream; for each pair of channels it holds two biases, both once more
 * (for the second pixel), the groups, and mantissa, rounding, right shift of one channel and of the other.
 *
 * Weights and biases are twice what the layer states, times 2^n where its multiplier shifts n places to the left.  The
 * sum then goes into the high multiply as it is (the short form of tvm_wvv/kernels/fixed_point.py):
 *
 *     y = sat8((round(sum * mantissa / 2^32) - [sum < 0] + rounding) >> right)       rounding holds the zero point
 *
 * Of a sum below zero whose high word is 0 the numerator is too small by one; with right >= 1 that does not show.
 * Where the zero point is -128 the bracket can stay out, and right may be 0. */
#ifndef WVV_GEMM_H_
#define WVV_GEMM_H_

#include <stdint.h>

enum wvv_finish { WVV_FINISH_SIGNED = 0, WVV_FINISH_POSITIVE = 1, WVV_FINISH_CLAMPED = 2 };

enum { WVV_GROUP_WORDS = 4, WVV_BIAS_WORDS = 4, WVV_SCALE_WORDS = 6 };

struct wvv_gemm {
  const uint32_t *columns, *columns_end;
  const int32_t *weights, *weights_end;
  int32_t finish;
  uint32_t low, high; /* four times the byte; WVV_FINISH_CLAMPED only */
};

/* Writes an even number of channels of both pixels; y1 may be y0, which then holds the first pixel. */
void wvv_gemm_pair(const struct wvv_gemm *job, int8_t *y0, int8_t *y1);

/* The same in plain C, for cores without the instructions and for comparison. */
void wvv_gemm_pair_portable(const struct wvv_gemm *job, int8_t *y0, int8_t *y1);

/* The formula above in plain C; `scale` is mantissa, rounding and right shift, `low` and `high` as in a job. */
static inline int8_t wvv_finished(uint32_t sum, const int32_t *scale, int32_t finish, uint32_t low, uint32_t high) {
  const int64_t product = (int64_t)(int32_t)sum * scale[0] + (INT64_C(1) << 31);
  const int32_t upper = (int32_t)(product >> 32), negative = (int32_t)sum < 0;
  int32_t value = (upper - (finish == WVV_FINISH_POSITIVE ? 0 : negative) + scale[1]) >> scale[2];
  value = value < -128 ? -128 : value > 127 ? 127 : value;
  if (finish == WVV_FINISH_CLAMPED) {
    const int32_t least = (int8_t)(uint8_t)low, greatest = (int8_t)(uint8_t)high;
    value = value < least ? least : value > greatest ? greatest : value;
  }
  return (int8_t)value;
}

#endif
