/* int8 softmax of rows, in the reference's fixed-point arithmetic (numerics.md, N24). */
#ifndef WVV_SOFTMAX_H_
#define WVV_SOFTMAX_H_

#include <stdint.h>

/* As int32 numbers, in this order; rows of up to 4096. */
struct wvv_softmax {
  int32_t rows, size;
};

/* `exponentials` holds 2^31 exp(-d * beta * scale) of each difference d to the greatest of a row, 0 to 255.
 * y may be x. */
void wvv_softmax(const int8_t *x, const int32_t *exponentials, const int32_t *layer, int8_t *y);

#endif
