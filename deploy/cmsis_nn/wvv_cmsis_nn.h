/* Calls of CMSIS-NN as generated kernels make them, one source file an operator.
 *
 * wvv_cmsis_nn_X computes; wvv_cmsis_nn_X_scratch says how many bytes the library wants for it, with these parameters
 * and on the core that it is compiled for. Parameters come as an array of int32_t, the fields of one structure below in
 * order. Offsets are added: that of an input is minus its zero point. */
#ifndef WVV_CMSIS_NN_H_
#define WVV_CMSIS_NN_H_

#include <stdint.h>

#include "arm_nnfunctions.h"

/* A window over an image; `pad` is that of the top and the left, and the sizes give the rest. */
struct wvv_cmsis_nn_window {
  int32_t n, h, w, c;
  int32_t out_h, out_w, out_c;
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;
  int32_t pad_h, pad_w;
  int32_t least, greatest;
};

/* conv2d; depthwise_conv2d, where the outputs of an input channel are `multiplier`. */
struct wvv_cmsis_nn_convolution {
  struct wvv_cmsis_nn_window window;
  int32_t dilation_h, dilation_w;
  int32_t in_offset, out_offset;
  int32_t multiplier;
};

struct wvv_cmsis_nn_dense {
  int32_t rows, inputs, outputs;
  int32_t in_offset, out_offset;
  int32_t mantissa, shift;
  int32_t least, greatest;
};

/* add and mul, element by element; mul has one multiplier, that of the output. */
struct wvv_cmsis_nn_elementwise {
  int32_t count;
  int32_t lhs_offset, lhs_mantissa, lhs_shift;
  int32_t rhs_offset, rhs_mantissa, rhs_shift;
  int32_t left_shift;
  int32_t out_offset, out_mantissa, out_shift;
  int32_t least, greatest;
};

struct wvv_cmsis_nn_softmax {
  int32_t rows, length;
  int32_t mantissa, shift;
  int32_t least_difference;
};

struct wvv_cmsis_nn_pad {
  int32_t value;
  int32_t size[4], before[4], after[4];
};

struct wvv_cmsis_nn_concat {
  int32_t rows, lhs_block, rhs_block;
};

/* The first failure since this was last called, 0 where there was none; too little scratch is one. */
int32_t wvv_cmsis_nn_take_status(void);
void wvv_cmsis_nn_note(int32_t status);

/* Whether the scratch that the caller has is as much as the library wants; a failure is noted. */
int32_t wvv_cmsis_nn_fits(int32_t wanted, int32_t scratch_bytes);

/* Pointers in the order inputs, constants, parameters, output, scratch. */
void wvv_cmsis_nn_conv2d(const int8_t *x, const int8_t *weights, const int32_t *bias, const int32_t *mantissas,
                         const int32_t *shifts, const int32_t *parameters, int8_t *y, int32_t *scratch,
                         int32_t scratch_bytes);
void wvv_cmsis_nn_depthwise_conv2d(const int8_t *x, const int8_t *weights, const int32_t *bias,
                                   const int32_t *mantissas, const int32_t *shifts, const int32_t *parameters,
                                   int8_t *y, int32_t *scratch, int32_t scratch_bytes);
void wvv_cmsis_nn_fully_connected(const int8_t *x, const int8_t *weights, const int32_t *bias,
                                  const int32_t *parameters, int8_t *y, int32_t *scratch, int32_t scratch_bytes);
void wvv_cmsis_nn_average_pool(const int8_t *x, const int32_t *parameters, int8_t *y, int32_t *scratch,
                               int32_t scratch_bytes);
void wvv_cmsis_nn_max_pool(const int8_t *x, const int32_t *parameters, int8_t *y, int32_t *scratch,
                           int32_t scratch_bytes);
void wvv_cmsis_nn_add(const int8_t *lhs, const int8_t *rhs, const int32_t *parameters, int8_t *y, int32_t *scratch,
                      int32_t scratch_bytes);
void wvv_cmsis_nn_mul(const int8_t *lhs, const int8_t *rhs, const int32_t *parameters, int8_t *y, int32_t *scratch,
                      int32_t scratch_bytes);
void wvv_cmsis_nn_softmax(const int8_t *x, const int32_t *parameters, int8_t *y, int32_t *scratch,
                          int32_t scratch_bytes);
void wvv_cmsis_nn_pad(const int8_t *x, const int32_t *parameters, int8_t *y, int32_t *scratch, int32_t scratch_bytes);
void wvv_cmsis_nn_concat(const int8_t *lhs, const int8_t *rhs, const int32_t *parameters, int8_t *y, int32_t *scratch,
                         int32_t scratch_bytes);

int32_t wvv_cmsis_nn_conv2d_scratch(const int32_t *parameters);
int32_t wvv_cmsis_nn_depthwise_conv2d_scratch(const int32_t *parameters);
int32_t wvv_cmsis_nn_fully_connected_scratch(const int32_t *parameters);
int32_t wvv_cmsis_nn_average_pool_scratch(const int32_t *parameters);
int32_t wvv_cmsis_nn_max_pool_scratch(const int32_t *parameters);
int32_t wvv_cmsis_nn_add_scratch(const int32_t *parameters);
int32_t wvv_cmsis_nn_mul_scratch(const int32_t *parameters);
int32_t wvv_cmsis_nn_softmax_scratch(const int32_t *parameters);
int32_t wvv_cmsis_nn_pad_scratch(const int32_t *parameters);
int32_t wvv_cmsis_nn_concat_scratch(const int32_t *parameters);

/* What the library's structures hold of a window. */
static inline cmsis_nn_dims wvv_input_dims(const struct wvv_cmsis_nn_window *of) {
  return (cmsis_nn_dims){.n = of->n, .h = of->h, .w = of->w, .c = of->c};
}

static inline cmsis_nn_dims wvv_output_dims(const struct wvv_cmsis_nn_window *of) {
  return (cmsis_nn_dims){.n = of->n, .h = of->out_h, .w = of->out_w, .c = of->out_c};
}

static inline cmsis_nn_tile wvv_tile(int32_t h, int32_t w) { return (cmsis_nn_tile){.w = w, .h = h}; }

static inline cmsis_nn_activation wvv_cmsis_nn_clamp(int32_t least, int32_t greatest) {
  return (cmsis_nn_activation){.min = least, .max = greatest};
}

static inline cmsis_nn_context wvv_context(int32_t *scratch, int32_t bytes) {
  return (cmsis_nn_context){.buf = scratch, .size = bytes};
}

/* The library declares these pointers without const and only reads through them. */
static inline cmsis_nn_per_channel_quant_params wvv_channels(const int32_t *mantissas, const int32_t *shifts) {
  return (cmsis_nn_per_channel_quant_params){.multiplier = (int32_t *)mantissas, .shift = (int32_t *)shifts};
}

#endif
