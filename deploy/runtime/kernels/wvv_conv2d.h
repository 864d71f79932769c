/* int8 convolution, NHWC, one function for all shapes: windows are laid out as columns of int16, two at a time, and
 * multiplied with all output channels (wvv_gemm.h). */
#ifndef WVV_CONV2D_H_
#define WVV_CONV2D_H_

#include <stdint.h>

/* `weights` is the stream of wvv_gemm.h, `layer` a struct wvv_layer (wvv_window.h) as int32 numbers.
 * The taps of a column: of each row of the window all whole words of its bytes, then what is left of each row, one
 * after the other, then anything (its weights are 0) up to a whole group.
 * `scratch` holds the columns, two windows, and two pixels of one channel more where `outputs` is odd; each begins at
 * a word. */
void wvv_conv2d(const int8_t *x, const int32_t *weights, const int32_t *layer, int8_t *y, int32_t *scratch);

#endif
