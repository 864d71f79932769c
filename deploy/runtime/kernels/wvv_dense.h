/* int8 fully connected layer: rows of inputs, int8 weights, which are read once a row and so are not worth unpacking
 * offline. */
#ifndef WVV_DENSE_H_
#define WVV_DENSE_H_

#include <stdint.h>

/* As int32 numbers, in this order. */
struct wvv_dense {
  int32_t rows, inputs, outputs, finish, low, high;
};

/* `weights` hold, for each four outputs and each four inputs, a word of four inputs for each output; zeros fill up
 * both.
 * `scales` hold bias, mantissa, rounding and right shift of each output, as wvv_gemm.h has them.
 * `scratch` has two words for each four inputs. */
void wvv_dense(const int8_t *x, const int8_t *weights, const int32_t *scales, const int32_t *layer, int8_t *y,
               int32_t *scratch);

/* Adds to four sums the products of a row with four outputs; the row comes as pairs of int16, of each four inputs 0 and
 * 2, then 1 and 3. */
void wvv_dot_quad(const uint32_t *x, const uint32_t *x_end, const uint32_t *weights, int32_t sums[4]);
void wvv_dot_quad_portable(const uint32_t *x, const uint32_t *x_end, const uint32_t *weights, int32_t sums[4]);

#endif
