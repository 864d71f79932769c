/* int8 depthwise convolution, NHWC, for cores with vectors: any window, stride, dilation and depth multiplier.
 *
 * A column of a window has one byte for each of its rows. Sixteen channels at a time, rows of the image are packed so
 * that four of them lie in one word: a packed column is 64 bytes, a word for each channel. A vector of four columns
 * times one of weights, added up, is then a whole 3x3 window of one channel. */
#ifndef WVV_MVE_DEPTHWISE_H_
#define WVV_MVE_DEPTHWISE_H_

#include <stdint.h>

#include "wvv_window.h"

enum { WVV_PACKED_LANES = 16, WVV_PACKED_ROWS = 4, WVV_PACKED_BYTES = WVV_PACKED_LANES * WVV_PACKED_ROWS };

/* A layer as int32 numbers, in this order. Of `window`, `finish` is an enum wvv_mve_finish, `groups` are the rows of
 * outputs that are packed together. */
struct wvv_mve_depthwise_layer {
  struct wvv_layer window;
  int32_t output_zero_point, multiplier;
};

/* `weights` is one stream; for each four outputs it holds, for each four rows and each four columns of the window, a
 * vector of weights for each output, column by column, then four biases, four mantissas and four right shifts, negated.
 * Zeros fill up windows and outputs. Results are those of wvv_mve_gemm.h; where halves of negative numbers show, right
 * shifts are 1 or more.
 * `scratch` holds one vector, the packed rows, and three taps' columns more, which are read and count for nothing. */
void wvv_mve_depthwise(const int8_t *x, const int32_t *weights, const int32_t *layer, int8_t *y, int32_t *scratch);

/* Four outputs of some rows. The rows follow each other in `packed`. */
struct wvv_mve_depthwise {
  int32_t rows, columns;   /* of outputs */
  int32_t row_bytes, step; /* packed, from one row of outputs to the next, from one output to the next */
  int32_t outputs, zero_point, finish;
  int32_t deep, across;    /* words and columns of a window, in fours */
  int32_t deep_bytes;      /* packed, from four rows of a window to the next four */
  uint32_t offsets[4];     /* of four taps side by side */
};

/* Saturates to int8; writes `lanes` outputs, 1 to 4, of each pixel. */
void wvv_mve_depthwise_four(const struct wvv_mve_depthwise *job, const int8_t *packed, const int32_t *weights,
                            int8_t *y, int32_t lanes);

/* The same for windows of up to 4x4. */
void wvv_mve_depthwise_small(const struct wvv_mve_depthwise *job, const int8_t *packed, const int32_t *weights,
                             int8_t *y, int32_t lanes);

/* Sixteen bytes of each of `count` columns; bytes from column to column in `steps`. Of each, lane n takes the byte
 * `lane[n]`, the first `lanes` of them. */
void wvv_mve_pack_columns(int8_t *to, const int8_t *const rows[WVV_PACKED_ROWS], const int32_t steps[WVV_PACKED_ROWS],
                          int32_t count, const uint8_t lane[WVV_PACKED_LANES], int32_t lanes);

/* The same for three rows and lanes one after the other; what becomes of the fourth row is not said. */
void wvv_mve_pack_three(int8_t *to, const int8_t *const rows[WVV_PACKED_ROWS], const int32_t steps[WVV_PACKED_ROWS],
                        int32_t count, int32_t lanes);

#endif
