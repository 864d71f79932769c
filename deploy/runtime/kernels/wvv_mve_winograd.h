/* Exact Winograd convolution F(4x4, 3x3) in int16, for cores with vectors: a layer in one call.
 *
 * Two tiles and four outputs are worked on together, channels go in vectors of eight.
 *   V [tile][tap][channel]     U [four outputs][tap][vector][output][channel]     M [tap][tile][output]
 * Channels and outputs that are left over have zeros in U. The transforms are those of wvv_winograd_f4_input.c and
 * wvv_winograd_f4_output.c; sums, and all that follows up to the division by 576, wrap modulo 2^32. */
#ifndef WVV_MVE_WINOGRAD_H_
#define WVV_MVE_WINOGRAD_H_

#include <stdint.h>

/* As int32 numbers, in this order. */
struct wvv_mve_winograd {
  int32_t batch, height, width, channels;
  int32_t out_height, out_width, outputs, top, left;
  int32_t zero_point, output_zero_point;
  int32_t positive, low, high; /* positive: the clamp begins at the output's zero point */
};

/* `stage` holds, for each four outputs, three vectors: 144 times the bias, mantissas, and right shifts, negated. A sum
 * with its bias is below 2^25, shifts are 1 to 22. `scratch` holds V of two tiles and M. */
void wvv_mve_winograd(const int8_t *x, const int32_t *u, const int32_t *stage, const int32_t *layer, int8_t *y,
                      int32_t *scratch);

/* M = U V of all taps for two tiles and four outputs, of `vectors` vectors of channels. */
void wvv_mve_product(const int16_t *v0, const int16_t *v1, const int16_t *u, int32_t *m, int32_t taps,
                     int32_t vectors);

/* V of one tile, whose first pixel may lie outside of the image; `step` are the channels of V. `scratch` is one tile of
 * eight channels as int16, then as bytes: less than M. */
void wvv_mve_f4_input(const int8_t *image, const struct wvv_mve_winograd *l, int32_t row, int32_t column, int16_t *v,
                      int32_t step, int32_t *scratch);

/* Four outputs of one tile, or the first of them, from every second vector of M, which changes; so many rows and
 * columns are stored. */
void wvv_mve_f4_output(int32_t *m, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *out, int32_t rows,
                       int32_t columns, int32_t outputs);

#endif
