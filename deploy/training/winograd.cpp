/* A quantized Winograd layer in training, forward and backward, a few images at a time: V and the sums of products of
 * one block stay in the cache and are never written to memory; backward makes them again from the image.
 *
 * `transforms.h` is generated from the exact matrices: M_H, M_W, TILE_H, TILE_W, TAPS and four straight-line functions.
 * Images are NHWC, U [tap, c, o], scales [tap] and [tap, o], all float32; V and M of a block [tap, tile, channel].
 * The images are cut into parts, of which a call does first..last-1. Sums over images come out one for each part, so
 * that results do not depend on the number of threads.
 */
#include <algorithm>
#include <vector>

#include "transforms.h"
#include "vectors.h"

constexpr long CELLS = TILE_H * TILE_W, OUTPUTS = M_H * M_W;
/* Enough for each weight that is loaded to be used often, and few enough for the second-level cache. */
constexpr long BLOCK_TILES = 32;
constexpr long ROWS = 8; /* of a product at a time: as many sums in registers */

struct Shape {
    long images, parts;
    long height, width, channels;  /* of the input */
    long rows, columns, top, left; /* of tiles; zeros before the image */
    long out_height, out_width, outputs;

    long tiles() const { return rows * columns; }
    long size() const { return height * width * channels; }
    long out_size() const { return out_height * out_width * outputs; }
    long begin(long part) const { return images * part / parts; }
    long block() const { return std::max(1L, BLOCK_TILES / tiles()); }
};

struct Layer {
    Range codes, v_codes, m_codes;
    float per_step;
    const float *v_per_step, *m_per_step, *factor, *unit;
};

typedef std::vector<float> Scratch;

/* out[row, n] (+)= sum over k of a[row * row_step + k * k_step] * b[k, n], for R rows and `lanes` of n. */
template <long R, bool whole>
static inline void multiply_block(long n, long lanes, long depth, const float *__restrict a, long row_step, long k_step,
                                  const float *__restrict b, bool add, float *__restrict out) {
    if (whole)
        lanes = LANES;
    vec sum[R];
#pragma GCC unroll 8
    for (long r = 0; r < R; r++)
        sum[r] = add ? load(out + r * n, lanes) : vec{};
    for (long k = 0; k < depth; k++) {
        const vec factor = load(b + k * n, lanes);
#pragma GCC unroll 8
        for (long r = 0; r < R; r++)
            sum[r] = fused_add(a[r * row_step + k * k_step], factor, sum[r]);
    }
#pragma GCC unroll 8
    for (long r = 0; r < R; r++)
        store(out + r * n, sum[r], lanes);
}

template <long R>
static inline void multiply_rows(long n, long depth, const float *a, long row_step, long k_step, const float *b,
                                 bool add, float *out) {
    long o = 0;
    for (; o + LANES <= n; o += LANES)
        multiply_block<R, true>(n, LANES, depth, a, row_step, k_step, b + o, add, out + o);
    if (o < n)
        multiply_block<R, false>(n, n - o, depth, a, row_step, k_step, b + o, add, out + o);
}

static void multiply(long rows, long n, long depth, const float *a, long row_step, long k_step, const float *b,
                     bool add, float *out) {
    long row = 0;
    for (; row + ROWS <= rows; row += ROWS)
        multiply_rows<ROWS>(n, depth, a + row * row_step, row_step, k_step, b, add, out + row * n);
    for (; row < rows; row++)
        multiply_rows<1>(n, depth, a + row * row_step, row_step, k_step, b, add, out + row * n);
}

/* `visit(cell, y, x)` for every cell of a tile that lies within the image. */
template <typename Visit>
static inline void cells_within(const Shape &s, long row, long column, Visit visit) {
    for (long i = 0; i < TILE_H; i++) {
        const long y = row * M_H + i - s.top;
        if (y < 0 || y >= s.height)
            continue;
        for (long j = 0; j < TILE_W; j++) {
            const long x = column * M_W + j - s.left;
            if (x >= 0 && x < s.width)
                visit(i * TILE_W + j, y, x);
        }
    }
}

/* `visit(output, y, x)` for every output of a tile that the image keeps. */
template <typename Visit>
static inline void outputs_within(const Shape &s, long row, long column, Visit visit) {
    for (long i = 0; i < M_H && row * M_H + i < s.out_height; i++)
        for (long j = 0; j < M_W && column * M_W + j < s.out_width; j++)
            visit(i * M_W + j, row * M_H + i, column * M_W + j);
}

/* V of 16 channels of a tile, from real values by way of their codes. */
static inline void transformed(const Shape &s, const Layer &layer, const float *image, long row, long column,
                               long channel, vec *tap) {
    vec cell[CELLS] = {};
    cells_within(s, row, column, [&](long k, long y, long x) {
        const vec real = load(image + (y * s.width + x) * s.channels + channel, s.channels - channel);
        cell[k] = layer.codes.rounded(real * layer.per_step);
    });
    input_transform(cell, tap);
}

/* Codes of V and the sums of products of `count` images from `x` on. */
static void products(const Shape &s, const Layer &layer, long count, const float *x, const float *u, float *v,
                     float *sums) {
    const long tiles = count * s.tiles();
    for (long tile = 0; tile < tiles; tile++) {
        const float *image = x + tile / s.tiles() * s.size();
        const long row = tile % s.tiles() / s.columns, column = tile % s.columns;
        for (long channel = 0; channel < s.channels; channel += LANES) {
            vec tap[TAPS];
            transformed(s, layer, image, row, column, channel, tap);
            for (long t = 0; t < TAPS; t++)
                store(v + (t * tiles + tile) * s.channels + channel,
                      layer.v_codes.rounded(tap[t] * layer.v_per_step[t]), s.channels - channel);
        }
    }
    for (long t = 0; t < TAPS; t++)
        multiply(tiles, s.outputs, s.channels, v + t * tiles * s.channels, s.channels, 1,
                 u + t * s.channels * s.outputs, false, sums + t * tiles * s.outputs);
}

static Layer layer_of(const float *per_step, const float *ranges, const float *v_per_step, const float *m_per_step,
                      const float *factor, const float *unit) {
    return {{ranges[0], ranges[1]}, {ranges[2], ranges[3]}, {ranges[4], ranges[5]}, *per_step,
            v_per_step, m_per_step, factor, unit};
}

/* Real image -> codes -> V -> its codes -> sums of products -> codes of M, times a factor -> y, times `unit` [o] plus
 * `bias` [o]; rounded to whole multiples of `grid` [o] where there is one, as `layers.on_grid` says.
 */
extern "C" void forward(const Shape *shape, long first, long last, const float *x, const float *per_step,
                        const float *ranges, const float *v_per_step, const float *u, const float *m_per_step,
                        const float *factor, const float *unit, const float *bias, const float *grid, float *out) {
    const Shape s = *shape;
    const Layer layer = layer_of(per_step, ranges, v_per_step, m_per_step, factor, unit);
    const long most = s.block() * s.tiles();
    Scratch v(TAPS * most * s.channels), sums(TAPS * most * s.outputs);
    for (long n = s.begin(first); n < s.begin(last); n += s.block()) {
        const long count = std::min(s.block(), s.begin(last) - n), tiles = count * s.tiles();
        products(s, layer, count, x + n * s.size(), u, v.data(), sums.data());
        for (long tile = 0; tile < tiles; tile++)
            for (long o = 0; o < s.outputs; o += LANES) {
                const long lanes = s.outputs - o, row = tile % s.tiles() / s.columns, column = tile % s.columns;
                vec tap[TAPS], y[OUTPUTS];
                for (long t = 0; t < TAPS; t++) {
                    const vec sum = load(&sums[(t * tiles + tile) * s.outputs + o], lanes);
                    const vec scaled = sum * load(m_per_step + t * s.outputs + o, lanes);
                    tap[t] = layer.m_codes.rounded(scaled) * load(factor + t * s.outputs + o, lanes);
                }
                output_transform(tap, y);
                float *image = out + (n + tile / s.tiles()) * s.out_size();
                const vec by = load(unit + o, lanes), plus = load(bias + o, lanes);
                const vec step = grid ? load(grid + o, lanes) : vec{};
                outputs_within(s, row, column, [&](long k, long at, long place) {
                    const vec real = y[k] * by + plus;
                    store(image + (at * s.out_width + place) * s.outputs + o, grid ? on_grid(real, step) : real, lanes);
                });
            }
    }
}

/* From the gradients of the real outputs of `tiles` tiles to those of the sums, which take their place. What the part
 * sums up: [tap, o] for steps and factors, [o] for unit and bias.
 */
static void through_output(const Shape &s, const Layer &layer, long tiles, const float *by_out, float *sums,
                           float *by_step, float *by_factor, float *by_unit, float *by_bias) {
    for (long o = 0; o < s.outputs; o += LANES) {
        const long lanes = s.outputs - o;
        const vec by = load(layer.unit + o, lanes);
        vec step_sum[TAPS] = {}, factor_sum[TAPS] = {}, unit_sum = {}, bias_sum = {};
        for (long tile = 0; tile < tiles; tile++) {
            const long row = tile % s.tiles() / s.columns, column = tile % s.columns;
            const float *image = by_out + tile / s.tiles() * s.out_size();
            vec code[TAPS], tap[TAPS], y[OUTPUTS], gradient[OUTPUTS] = {};
            for (long t = 0; t < TAPS; t++) {
                const vec sum = load(sums + (t * tiles + tile) * s.outputs + o, lanes);
                code[t] = layer.m_codes.rounded(sum * load(layer.m_per_step + t * s.outputs + o, lanes));
                tap[t] = code[t] * load(layer.factor + t * s.outputs + o, lanes);
            }
            output_transform(tap, y);
            outputs_within(s, row, column, [&](long k, long at, long place) {
                const vec one = load(image + (at * s.out_width + place) * s.outputs + o, lanes);
                unit_sum += one * y[k];
                bias_sum += one;
                gradient[k] = one * by;
            });
            output_adjoint(gradient, tap);
            for (long t = 0; t < TAPS; t++) {
                float *at = sums + (t * tiles + tile) * s.outputs + o;
                const vec sum = load(at, lanes), per_step = load(layer.m_per_step + t * s.outputs + o, lanes);
                const vec on_code = tap[t] * load(layer.factor + t * s.outputs + o, lanes);
                const vec kept = layer.m_codes.inside(sum * per_step, on_code);
                factor_sum[t] += tap[t] * code[t];
                step_sum[t] += kept * sum;
                store(at, kept * per_step, lanes);
            }
        }
        for (long t = 0; t < TAPS; t++) {
            add_to(by_step + t * s.outputs + o, step_sum[t], lanes);
            add_to(by_factor + t * s.outputs + o, factor_sum[t], lanes);
        }
        add_to(by_unit + o, unit_sum, lanes);
        add_to(by_bias + o, bias_sum, lanes);
    }
}

/* From the gradients of V's codes of `count` images to those of its scales, and of the codes of the image where there
 * is a `by_x`.
 */
static void through_input(const Shape &s, const Layer &layer, long count, const float *x, const float *by_v,
                          float *by_x, float *by_step) {
    const long tiles = count * s.tiles();
    vec sums[TAPS] = {};
    for (long tile = 0; tile < tiles; tile++) {
        const long row = tile % s.tiles() / s.columns, column = tile % s.columns, image = tile / s.tiles() * s.size();
        for (long channel = 0; channel < s.channels; channel += LANES) {
            const long lanes = s.channels - channel;
            vec cell[CELLS], tap[TAPS];
            transformed(s, layer, x + image, row, column, channel, tap);
            for (long t = 0; t < TAPS; t++) {
                const vec gradient = load(by_v + (t * tiles + tile) * s.channels + channel, lanes);
                const vec kept = layer.v_codes.inside(tap[t] * layer.v_per_step[t], gradient);
                sums[t] += kept * tap[t];
                tap[t] = kept * layer.v_per_step[t];
            }
            if (!by_x)
                continue;
            input_adjoint(tap, cell);
            cells_within(s, row, column, [&](long k, long y, long at) {
                add_to(by_x + image + (y * s.width + at) * s.channels + channel, cell[k], lanes);
            });
        }
    }
    for (long t = 0; t < TAPS; t++)
        by_step[t] += total(sums[t]);
}

/* From gradients of the codes of an image, in place, to those of its real values; gives the gradient of per_step. */
static float through_codes(const Layer &layer, long size, const float *x, float *by_x) {
    vec sum = {};
    for (long at = 0; at < size; at += LANES) {
        const vec real = load(x + at, size - at);
        const vec kept = layer.codes.inside(real * layer.per_step, load(by_x + at, size - at));
        sum += kept * real;
        store(by_x + at, kept * layer.per_step, size - at);
    }
    return total(sum);
}

/* All gradients: of x (left out where `by_x` is null) whole, of everything else one sum for each part. `turned` is U
 * [tap, o, c]. What is written is zero before, but for `by_x`.
 */
extern "C" void backward(const Shape *shape, long first, long last, const float *x, const float *per_step,
                         const float *ranges, const float *v_per_step, const float *u, const float *turned,
                         const float *m_per_step, const float *factor, const float *unit, const float *by_out,
                         float *by_x, float *by_per_step, float *by_v_per_step, float *by_u, float *by_m_per_step,
                         float *by_factor, float *by_unit, float *by_bias) {
    const Shape s = *shape;
    const Layer layer = layer_of(per_step, ranges, v_per_step, m_per_step, factor, unit);
    const long most = s.block() * s.tiles(), weights = s.channels * s.outputs;
    Scratch v(TAPS * most * s.channels), sums(TAPS * most * s.outputs);
    for (long part = first; part < last; part++) {
        const long scales = part * TAPS * s.outputs;
        for (long n = s.begin(part); n < s.begin(part + 1); n += s.block()) {
            const long count = std::min(s.block(), s.begin(part + 1) - n), tiles = count * s.tiles();
            const float *images = x + n * s.size();
            float *by_images = by_x ? by_x + n * s.size() : nullptr;
            products(s, layer, count, images, u, v.data(), sums.data());
            through_output(s, layer, tiles, by_out + n * s.out_size(), sums.data(), by_m_per_step + scales,
                           by_factor + scales, by_unit + part * s.outputs, by_bias + part * s.outputs);
            for (long t = 0; t < TAPS; t++) {
                float *of_v = &v[t * tiles * s.channels], *of_sums = &sums[t * tiles * s.outputs];
                multiply(s.channels, s.outputs, tiles, of_v, 1, s.channels, of_sums, true,
                         by_u + (part * TAPS + t) * weights);
                multiply(tiles, s.channels, s.outputs, of_sums, s.outputs, 1, turned + t * weights, false, of_v);
            }
            if (by_images)
                std::memset(by_images, 0, count * s.size() * sizeof(float));
            through_input(s, layer, count, images, v.data(), by_images, by_v_per_step + part * TAPS);
            if (by_images)
                by_per_step[part] += through_codes(layer, count * s.size(), images, by_images);
        }
    }
}
