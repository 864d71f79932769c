/* int8 convolution, NHWC, for cores with vectors: one function for all shapes, and for fully connected layers, which
 * are rows of pixels. Windows are laid out as columns of bytes and multiplied with all output channels
 * (wvv_mve_gemm.h). */
#ifndef WVV_MVE_CONV2D_H_
#define WVV_MVE_CONV2D_H_

#include <stdint.h>

#include "wvv_window.h"

/* A layer as int32 numbers, in this order. Of `window`, `finish` is an enum wvv_mve_finish, `groups` are vectors of a
 * column, and `window_words` those of a column in `scratch`; 0 where pixels of the image serve as columns. Behind the
 * last pixels there may be less than a column takes, so `copied` of them are copied even then. */
struct wvv_mve_layer {
  struct wvv_layer window;
  int32_t output_zero_point, copied;
};

/* `weights` is the stream of wvv_mve_gemm.h; `scratch` holds two columns, or one for pixels that are copied. */
void wvv_mve_conv2d(const int8_t *x, const int32_t *weights, const int32_t *layer, int8_t *y, int32_t *scratch);

#endif
