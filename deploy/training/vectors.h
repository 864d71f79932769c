/* Sixteen channels at a time, and fake quantization of them as `tvm_wvv.qat.fake_quant` defines it.
 *
 * Plain vector extensions of GCC and Clang: they become AVX-512, two AVX2 or four NEON registers. Compiled without
 * contraction: a fused multiply-add would round once where torch rounds twice, and ties would fall elsewhere.
 */
#ifndef WVV_TRAINING_VECTORS_H
#define WVV_TRAINING_VECTORS_H

#include <cstring>

constexpr long LANES = 16;
typedef float vec __attribute__((vector_size(4 * LANES)));

static inline vec load(const float *from, long lanes) {
    vec found = {};
    if (lanes >= LANES)
        std::memcpy(&found, from, sizeof found);
    else
        std::memcpy(&found, from, lanes * sizeof(float));
    return found;
}

static inline void store(float *to, vec value, long lanes) {
    if (lanes >= LANES)
        std::memcpy(to, &value, sizeof value);
    else
        std::memcpy(to, &value, lanes * sizeof(float));
}

static inline void add_to(float *to, vec value, long lanes) { store(to, load(to, lanes) + value, lanes); }

static inline float total(vec value) {
    float sum = 0;
    for (long i = 0; i < LANES; i++)
        sum += value[i];
    return sum;
}

/* For products alone, whose sums of whole numbers are exact either way. */
static inline vec fused_add(float by, vec value, vec to) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    for (long i = 0; i < LANES; i++)
        to[i] = __builtin_fmaf(by, value[i], to[i]);
    return to;
#else
    return to + by * value;
#endif
}

static inline vec floors(vec value) {
    for (long i = 0; i < LANES; i++)
        value[i] = __builtin_floorf(value[i]);
    return value;
}

/* `layers.on_grid`. */
static inline vec on_grid(vec real, vec step) {
    const vec whole = floors(real / step + 0.5f);
    return (whole < 0.0f ? whole - 0.25f : whole > 0.0f ? whole + 0.25f : whole) * step;
}

/* The ends of a range of whole numbers, with what becomes of values and gradients there. */
struct Range {
    float low, high;

    /* floor(scaled + 0.5) within the range; what is no number stays none, so that the loss shows it. */
    vec rounded(vec scaled) const {
        vec value = floors(scaled + 0.5f);
        value = value < low ? vec{} + low : value;
        return value > high ? vec{} + high : value;
    }

    vec inside(vec scaled, vec gradient) const { return (scaled >= low) & (scaled <= high) ? gradient : vec{}; }
};

#endif
