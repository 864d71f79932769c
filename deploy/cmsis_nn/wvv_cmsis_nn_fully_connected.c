/* int8 fully connected layer: rows of the input times (outputs, inputs) weights, one multiplier.
 *
 * From version 5 on a core with vector instructions reads sums of the weights from its scratch, and the function that
 * makes them changed with each version: plain sums in 5.0 and 6.0 (where the factor is 1 and there is no bias), sums
 * with offset and bias in 7.0. WVV_CMSIS_NN_SUM_ARGUMENTS is how many arguments it takes, 0 where there is none.
 * The sums are made in every run; an application may make them once. */
#include <stddef.h>

#include "wvv_cmsis_nn.h"
#include "wvv_cmsis_nn_version.h"

static cmsis_nn_dims filter_dims(const struct wvv_cmsis_nn_dense *p) {
  return (cmsis_nn_dims){.n = p->inputs, .h = 1, .w = 1, .c = p->outputs};
}

int32_t wvv_cmsis_nn_fully_connected_scratch(const int32_t *parameters) {
  const cmsis_nn_dims filter = filter_dims((const struct wvv_cmsis_nn_dense *)parameters);
  return arm_fully_connected_s8_get_buffer_size(&filter);
}

static void sum_weights(const struct wvv_cmsis_nn_dense *p, const int8_t *weights, const int32_t *bias, int32_t *sums) {
#if WVV_CMSIS_NN_SUM_ARGUMENTS == 7
  wvv_cmsis_nn_note(arm_vector_sum_s8(sums, p->inputs, p->outputs, weights, p->in_offset, 0, bias));
#elif WVV_CMSIS_NN_SUM_ARGUMENTS == 6
  (void)bias;
  wvv_cmsis_nn_note(arm_vector_sum_s8(sums, p->inputs, p->outputs, weights, 1, NULL));
#elif WVV_CMSIS_NN_SUM_ARGUMENTS == 4
  (void)bias;
  wvv_cmsis_nn_note(arm_vector_sum_s8(sums, p->inputs, p->outputs, weights));
#else
  (void)p, (void)weights, (void)bias, (void)sums;
#endif
}

void wvv_cmsis_nn_fully_connected(const int8_t *x, const int8_t *weights, const int32_t *bias,
                                  const int32_t *parameters, int8_t *y, int32_t *scratch, int32_t scratch_bytes) {
  const struct wvv_cmsis_nn_dense *p = (const struct wvv_cmsis_nn_dense *)parameters;
  const cmsis_nn_fc_params how = {
      .input_offset = p->in_offset,
      .filter_offset = 0,
      .output_offset = p->out_offset,
      .activation = wvv_cmsis_nn_clamp(p->least, p->greatest),
  };
  const cmsis_nn_dims input = {.n = p->rows, .h = 1, .w = 1, .c = p->inputs}, filter = filter_dims(p);
  const cmsis_nn_dims biases = {.n = 1, .h = 1, .w = 1, .c = p->outputs};
  const cmsis_nn_dims output = {.n = p->rows, .h = 1, .w = 1, .c = p->outputs};
  const cmsis_nn_context context = wvv_context(scratch, scratch_bytes);
  const cmsis_nn_per_tensor_quant_params scale = {.multiplier = p->mantissa, .shift = p->shift};
  const int32_t wanted = arm_fully_connected_s8_get_buffer_size(&filter);
  if (wvv_cmsis_nn_fits(wanted, scratch_bytes)) {
    if (wanted > 0) {
      sum_weights(p, weights, bias, scratch);
    }
    wvv_cmsis_nn_note(arm_fully_connected_s8(&context, &how, &scale, &input, x, &filter, weights, &biases, bias,
                                             &output, y));
  }
}
