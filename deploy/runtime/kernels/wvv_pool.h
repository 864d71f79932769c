/* Average and maximum of int8 windows, NHWC, and the mean over a whole image. What leaves the image does not count. */
#ifndef WVV_POOL_H_
#define WVV_POOL_H_

#include <stdint.h>

#include "wvv_window.h"

enum wvv_pool_way { WVV_POOL_GREATEST = 0, WVV_POOL_AVERAGE = 1, WVV_POOL_MEAN = 2 };

/* A layer as int32 numbers, in this order. `window` has no dilation, each of its windows lies on the image in part, and
 * those of an average have up to 4095 places. */
struct wvv_pool_layer {
  struct wvv_layer window;
  int32_t way;
  int32_t offset, mantissa, right, output_zero_point; /* a mean only; `offset` is the zero point of all its inputs */
};

/*   average: sum / count to the nearest integer, halves away from zero
 *   mean:    round(round((sum - offset) * mantissa / 2^31) / 2^right) + zero point, rounded as in wvv_mve_gemm.h
 * and both are clamped. */
void wvv_pool(const int8_t *x, const int32_t *layer, int8_t *y);

/* The part of a window that lies on the image. */
struct wvv_part {
  int32_t rows, columns;        /* both 1 or more */
  int32_t row_step, step;       /* bytes from row to row, from column to column */
};

/* From sums to outputs. For an average, with `factor` = ceil(2^32 / count), the upper word of factor * (sum + addend)
 * is 128 more than the quotient: the addend holds half the count and makes the sum positive. Negative sums of an even
 * count are one less, for their halves; `even` is all ones for it, else 0. Of one place the factor is 2^32 - 1, and the
 * addend one more. */
struct wvv_pool_end {
  int32_t way, even, addend;
  uint32_t factor;
  int32_t mantissa, right, zero_point, low, high;
};

void wvv_pool_greatest(const struct wvv_part *part, const int8_t *from, int32_t channels, int32_t low, int32_t high,
                       int8_t *y);
void wvv_pool_average(const struct wvv_part *part, const int8_t *from, int32_t channels,
                      const struct wvv_pool_end *end, int8_t *y);

#endif
