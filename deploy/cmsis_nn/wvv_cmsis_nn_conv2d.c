/* int8 convolution: NHWC data, OHWI filters, one multiplier for each output channel. */
#include "wvv_cmsis_nn.h"

static cmsis_nn_conv_params params(const struct wvv_cmsis_nn_convolution *p) {
  const struct wvv_cmsis_nn_window *at = &p->window;
  return (cmsis_nn_conv_params){
      .input_offset = p->in_offset,
      .output_offset = p->out_offset,
      .stride = wvv_tile(at->stride_h, at->stride_w),
      .padding = wvv_tile(at->pad_h, at->pad_w),
      .dilation = wvv_tile(p->dilation_h, p->dilation_w),
      .activation = wvv_cmsis_nn_clamp(at->least, at->greatest),
  };
}

static cmsis_nn_dims filter_dims(const struct wvv_cmsis_nn_window *at) {
  return (cmsis_nn_dims){.n = at->out_c, .h = at->kernel_h, .w = at->kernel_w, .c = at->c};
}

int32_t wvv_cmsis_nn_conv2d_scratch(const int32_t *parameters) {
  const struct wvv_cmsis_nn_convolution *p = (const struct wvv_cmsis_nn_convolution *)parameters;
  const cmsis_nn_conv_params how = params(p);
  const cmsis_nn_dims input = wvv_input_dims(&p->window), output = wvv_output_dims(&p->window);
  const cmsis_nn_dims filter = filter_dims(&p->window);
  return arm_convolve_wrapper_s8_get_buffer_size(&how, &input, &filter, &output);
}

void wvv_cmsis_nn_conv2d(const int8_t *x, const int8_t *weights, const int32_t *bias, const int32_t *mantissas,
                         const int32_t *shifts, const int32_t *parameters, int8_t *y, int32_t *scratch,
                         int32_t scratch_bytes) {
  const struct wvv_cmsis_nn_convolution *p = (const struct wvv_cmsis_nn_convolution *)parameters;
  const cmsis_nn_conv_params how = params(p);
  const cmsis_nn_dims input = wvv_input_dims(&p->window), output = wvv_output_dims(&p->window);
  const cmsis_nn_dims filter = filter_dims(&p->window), biases = {.n = 1, .h = 1, .w = 1, .c = output.c};
  const cmsis_nn_context context = wvv_context(scratch, scratch_bytes);
  const cmsis_nn_per_channel_quant_params scale = wvv_channels(mantissas, shifts);
  if (wvv_cmsis_nn_fits(arm_convolve_wrapper_s8_get_buffer_size(&how, &input, &filter, &output), scratch_bytes)) {
    wvv_cmsis_nn_note(arm_convolve_wrapper_s8(&context, &how, &scale, &input, x, &filter, weights, &biases, bias,
                                              &output, y));
  }
}
