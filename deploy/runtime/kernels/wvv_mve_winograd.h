/* Winograd convolution for cores with vectors: a layer in one call.
 *
 * Two tiles and four outputs are worked on together; channels go in vectors of 16 bytes.
 *   V [tile][tap][channel]     U [four outputs][tap][vector][output][channel]     M [tap][tile][output]
 * Channels and outputs that are left over have zeros in U. V and U are int16 and every result is exact, or both are
 * int8 and V and M round (docs/numerics.md, N8 to N10). Sums and transforms wrap modulo 2^32. */
#ifndef WVV_MVE_WINOGRAD_H_
#define WVV_MVE_WINOGRAD_H_

#include <stdint.h>

/* Whether halves of negative numbers have to go away from zero: never where none of them shows or nothing is shifted to
 * the right; or in some of the channels. */
enum wvv_mve_away { WVV_MVE_NEVER = 0, WVV_MVE_ALWAYS = 1, WVV_MVE_SOME = 2 };

/* As int32 numbers, in this order; the last five are of layers in int8 only. `away` is an enum wvv_mve_away.
 * `of_channels`: 1 where M has a mantissa for each channel, 2 where it has a factor besides. `places` of M are to the
 * right, negated; its clip is -most - 1 to most. */
struct wvv_mve_winograd {
  int32_t batch, height, width, channels;
  int32_t out_height, out_width, outputs, top, left;
  int32_t zero_point, output_zero_point;
  int32_t away, low, high;
  int32_t block_words;         /* of `stage`, for four outputs */
  int32_t has_offsets, of_channels, places, most;
};

/* Exact. `stage` holds, for each four outputs, three vectors: bias (144 times it for f4), mantissas, and right shifts,
 * negated. A sum with its bias is below 2^30 (2^25 for f4), shifts are 0 to 22. `scratch` holds V of two tiles, and M;
 * in the place of M, before, what the input transform needs. */
typedef void wvv_mve_exact(const int8_t *x, const int32_t *u, const int32_t *stage, const int32_t *layer, int8_t *y,
                           int32_t *scratch);
wvv_mve_exact wvv_mve_winograd_f2, wvv_mve_winograd_f4, wvv_mve_winograd_f4c;

/* In int8. `taps` holds four numbers for each tap: V's mantissa and zero point, M's mantissa and factor. Behind the
 * three vectors of `stage`, the bias as it is, come a vector of offsets for each tap, if there are any, and for each
 * tap of M a vector of mantissas and one of factors, as far as these belong to channels. */
typedef void wvv_mve_int8(const int8_t *x, const int32_t *u, const int32_t *taps, const int32_t *stage,
                          const int32_t *layer, int8_t *y, int32_t *scratch);
wvv_mve_int8 wvv_mve_winograd_f2_int8, wvv_mve_winograd_f4_int8, wvv_mve_winograd_f4c_int8;

/* M = U V of all taps for two tiles and four outputs, of `vectors` vectors of channels. */
void wvv_mve_product(const int16_t *v0, const int16_t *v1, const int16_t *u, int32_t *m, int32_t taps,
                     int32_t vectors);
void wvv_mve_product_int8(const int8_t *v0, const int8_t *v1, const int8_t *u, int32_t *m, int32_t taps,
                          int32_t vectors);

/* V of one tile and eight channels; taps of V are `step` bytes apart, and the tap to which a constant image gives more
 * than zero loses `excess`. `scratch` is the tile as int16. */
typedef void wvv_mve_group(const int8_t *x, int32_t row_bytes, int32_t column_bytes, int16_t *v, int32_t step,
                           int32_t excess, int32_t *scratch);
wvv_mve_group wvv_mve_f2_group, wvv_mve_f4_group, wvv_mve_f4c_group;

/* Four outputs of one tile, or the first of them, from every second vector of M, which may change; so many rows and
 * columns are stored. `left`: places by which A M is to be shifted to the left. Exact f4 has a division of its own and
 * ignores it. */
typedef void wvv_mve_output(int32_t *m, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *out,
                            int32_t rows, int32_t columns, int32_t outputs, int32_t left);
wvv_mve_output wvv_mve_f2_output, wvv_mve_f4_exact_output, wvv_mve_f4_output, wvv_mve_f4c_output;

/* The last step of two of them, from vectors [row][6], for a whole tile whose clamp is int8's own; 0 if it is not. */
typedef int wvv_mve_rows(const int32_t *made, const int32_t *stage, const struct wvv_mve_winograd *l, int8_t *out,
                         int32_t rows, int32_t columns, int32_t outputs, int32_t left);
wvv_mve_rows wvv_mve_f4_rows, wvv_mve_f4c_rows;

/* Eight channels of V, [tap][channel], to int8 at `step` bytes from tap to tap. */
void wvv_mve_round_inputs(const int16_t *from, const int32_t *taps, int8_t *v, int32_t step, int32_t count);

/* M of two tiles, with its offsets if there are any: rounded, clipped, and times its factors. */
void wvv_mve_round_products(int32_t *m, const int32_t *taps, const int32_t *of_outputs,
                            const struct wvv_mve_winograd *l, int32_t count);

/* Outputs from sums [row][column] of any part of a tile of `size`, within any clamp. */
void wvv_mve_finish(const int32_t *sums, int32_t size, int32_t left, const int32_t *stage,
                    const struct wvv_mve_winograd *l, int8_t *out, int32_t rows, int32_t columns, int32_t outputs);

#endif
