/* Exact Winograd convolution in int16: input transform, products, output transform with requantization.
 *
 * Two tiles and two outputs are worked on together. Channels go in quads, the last one filled up with zero weights;
 * of a quad, pair 0 holds channels 0 and 2, pair 1 channels 1 and 3.
 *   V [tap][quad][pair][tile]     U [two outputs][tap][quad][pair][output]     M [tap][tile][output]       words
 * Sums of products, and all that follows up to the division by the algorithm's scale, wrap modulo 2^32. */
#ifndef WVV_WINOGRAD_H_
#define WVV_WINOGRAD_H_

#include <stdint.h>

/* wvv_product_<q>: M = U V for all taps, of q quads of channels. wvv_product_<q>n: of q * rounds quads. */
#define WVV_EACH_COUNT_OF_QUADS(of) \
  of(1) of(2) of(3) of(4) of(5) of(6) of(7) of(8) of(9) of(10) of(11) of(12) of(13) of(14) of(15) of(16)
#define WVV_DECLARE(quads)                                                                    \
  void wvv_product_##quads(const uint32_t* v, const int32_t* u, uint32_t* m, int32_t taps);  \
  void wvv_product_##quads##n(const uint32_t* v, const int32_t* u, uint32_t* m, int32_t taps, int32_t rounds);
WVV_EACH_COUNT_OF_QUADS(WVV_DECLARE)
#undef WVV_DECLARE

/* Holds `count` outputs within a range that is narrower than int8's. */
void wvv_clamp(int8_t* out, int32_t count, int32_t low, int32_t high);

/* The transforms of a variant.
 *
 * Input: where a tile reads its image, the place of its first pixel, which may lie outside, in an image of that size.
 * What is outside of it counts as `zero_point`. V is that of all channels.
 * Output: two output channels of one tile, or the first of them, by stages of `wvv_requantize.h`. Of the tile, `rows` x
 * `columns` pixels are stored, or all of them where it is more, in an image of that width and so many channels.
 * `positive`: the clamp begins at the zero point. */
#define WVV_DECLARE(variant)                                                                                         \
  void wvv_##variant##_input(const int8_t* image, uint32_t* v, int32_t row, int32_t column, int32_t height,          \
                             int32_t width, int32_t channels, int32_t zero_point);                                   \
  void wvv_##variant##_output(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t rows, int32_t columns,   \
                              int32_t outputs, int32_t width, int32_t channels);                                     \
  void wvv_##variant##_output_positive(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t rows,           \
                                       int32_t columns, int32_t outputs, int32_t width, int32_t channels);
WVV_DECLARE(f2)
WVV_DECLARE(f4)
WVV_DECLARE(f4c)
#undef WVV_DECLARE

#endif
