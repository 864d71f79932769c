/* Fake quantization of a whole tensor in one pass, and the scaling of a direct convolution's sums.
 *
 * Tensors are [part, rows, channels], float32. A call does the parts first..last-1; sums are left to the caller, one
 * part each, so that results do not depend on the number of threads.
 */
#include "vectors.h"

/* codes(x) * scale. */
extern "C" void quantize_forward(long first, long last, long size, const float *x, const float *per_step,
                                 const float *range, const float *scale, float *out) {
    const Range codes = {range[0], range[1]};
    for (long at = first * size; at < last * size; at += LANES) {
        const long lanes = last * size - at;
        store(out + at, codes.rounded(load(x + at, lanes) * *per_step) * *scale, lanes);
    }
}

/* The gradients of `x`, of `per_step` and of `scale`, those of the latter two by part. */
extern "C" void quantize_backward(long first, long last, long size, const float *x, const float *per_step,
                                  const float *range, const float *scale, const float *by_out, float *by_x,
                                  float *by_per_step, float *by_scale) {
    const Range codes = {range[0], range[1]};
    for (long n = first; n < last; n++) {
        vec step_sum = {}, scale_sum = {};
        for (long i = 0; i < size; i += LANES) {
            const long at = n * size + i, lanes = size - i;
            const vec real = load(x + at, lanes), gradient = load(by_out + at, lanes), scaled = real * *per_step;
            const vec kept = codes.inside(scaled, gradient * *scale);
            scale_sum += gradient * codes.rounded(scaled);
            step_sum += kept * real;
            store(by_x + at, kept * *per_step, lanes);
        }
        by_per_step[n] = total(step_sum);
        by_scale[n] = total(scale_sum);
    }
}

/* x * unit[channel] + bias[channel], rounded to whole multiples of `grid` [channel] where there is one. */
extern "C" void affine_forward(long first, long last, long rows, long channels, const float *x, const float *unit,
                               const float *bias, const float *grid, float *out) {
    for (long row = first * rows; row < last * rows; row++)
        for (long c = 0; c < channels; c += LANES) {
            const long at = row * channels + c, lanes = channels - c;
            const vec real = load(x + at, lanes) * load(unit + c, lanes) + load(bias + c, lanes);
            store(out + at, grid ? on_grid(real, load(grid + c, lanes)) : real, lanes);
        }
}

/* The gradients of `x`, of `unit` and of `bias`, those of the latter two [part, channel]. */
extern "C" void affine_backward(long first, long last, long rows, long channels, const float *x, const float *unit,
                                const float *by_out, float *by_x, float *by_unit, float *by_bias) {
    for (long n = first; n < last; n++)
        for (long c = 0; c < channels; c += LANES) {
            const long lanes = channels - c;
            const vec by = load(unit + c, lanes);
            vec unit_sum = {}, bias_sum = {};
            for (long row = n * rows; row < (n + 1) * rows; row++) {
                const long at = row * channels + c;
                const vec gradient = load(by_out + at, lanes);
                unit_sum += gradient * load(x + at, lanes);
                bias_sum += gradient;
                store(by_x + at, gradient * by, lanes);
            }
            store(by_unit + n * channels + c, unit_sum, lanes);
            store(by_bias + n * channels + c, bias_sum, lanes);
        }
}
