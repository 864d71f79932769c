#include "wvv_model.h"
#include "tvmgen_residual.h"

static _Alignas(16) uint8_t input_0[TVMGEN_RESIDUAL_SERVING_INPUT_0_SIZE];
static _Alignas(16) uint8_t output_0[TVMGEN_RESIDUAL_IDENTITY_0_SIZE];

static const uint32_t input_bytes[] = {TVMGEN_RESIDUAL_SERVING_INPUT_0_SIZE};
static void* const inputs_[] = {input_0};
static const uint32_t output_bytes[] = {TVMGEN_RESIDUAL_IDENTITY_0_SIZE};
static void* const outputs_[] = {output_0};

static int32_t run(void) {
  struct tvmgen_residual_inputs inputs = {input_0};
  struct tvmgen_residual_outputs outputs = {output_0};
  return tvmgen_residual_run(&inputs, &outputs);
}

const struct wvv_model wvv_model = {
    .name = "residual",
    .input_count = 1u,
    .output_count = 1u,
    .layer_count = 5u,
    .input_bytes = input_bytes,
    .output_bytes = output_bytes,
    .inputs = inputs_,
    .outputs = outputs_,
    .run = run,
};
