/* int8 depthwise convolution, NHWC, 3x3 windows of any stride and dilation, channels a multiple of four. */
#ifndef WVV_DEPTHWISE_H_
#define WVV_DEPTHWISE_H_

#include <stdint.h>

/* `layer` is a struct wvv_layer (wvv_window.h) as int32 numbers, `scratch` one window, or the
 * rows of one window within their padding.
 * `weights` holds for each four channels their biases, for each tap its weights of channels 0 and 2, then 1 and 3, and
 * for each channel mantissa, rounding and right shift; all as wvv_gemm.h explains. */
void wvv_depthwise(const int8_t *x, const int32_t *weights, const int32_t *layer, int8_t *y, int32_t *scratch);

enum { WVV_QUAD_TAPS = 9, WVV_QUAD_WORDS = 4 + 2 * WVV_QUAD_TAPS + 12 };

/* One pixel: rows are the addresses of the windows' first taps, bytes from column to column in `step`. */
struct wvv_depthwise {
  const int32_t *weights, *weights_end;
  int32_t step, finish;
  uint32_t low, high; /* four times the byte; WVV_FINISH_CLAMPED only */
};

void wvv_depthwise_pixel(const struct wvv_depthwise *job, const int8_t *const rows[3], int8_t *y);
void wvv_depthwise_pixel_portable(const struct wvv_depthwise *job, const int8_t *const rows[3], int8_t *y);

#endif
