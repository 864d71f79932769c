#include "wvv_model.h"
#include "tvmgen_awkward.h"

static _Alignas(16) uint8_t input_0[TVMGEN_AWKWARD_FOR__SIZE];
static _Alignas(16) uint8_t input_1[TVMGEN_AWKWARD_T_2ND_SIZE];
static _Alignas(16) uint8_t output_0[TVMGEN_AWKWARD_IDENTITY_0_SIZE];
static _Alignas(16) uint8_t output_1[TVMGEN_AWKWARD_IDENTITY_1_SIZE];
static _Alignas(16) uint8_t output_2[TVMGEN_AWKWARD_IDENTITY_2_SIZE];
static _Alignas(16) uint8_t output_3[TVMGEN_AWKWARD_IDENTITY_3_SIZE];

static const uint32_t input_bytes[] = {TVMGEN_AWKWARD_FOR__SIZE, TVMGEN_AWKWARD_T_2ND_SIZE};
static void* const inputs_[] = {input_0, input_1};
static const uint32_t output_bytes[] = {TVMGEN_AWKWARD_IDENTITY_0_SIZE, TVMGEN_AWKWARD_IDENTITY_1_SIZE, TVMGEN_AWKWARD_IDENTITY_2_SIZE, TVMGEN_AWKWARD_IDENTITY_3_SIZE};
static void* const outputs_[] = {output_0, output_1, output_2, output_3};

static int32_t run(void) {
  struct tvmgen_awkward_inputs inputs = {input_0, input_1};
  struct tvmgen_awkward_outputs outputs = {output_0, output_1, output_2, output_3};
  return tvmgen_awkward_run(&inputs, &outputs);
}

const struct wvv_model wvv_model = {
    .name = "awkward",
    .input_count = 2u,
    .output_count = 4u,
    .layer_count = 3u,
    .input_bytes = input_bytes,
    .output_bytes = output_bytes,
    .inputs = inputs_,
    .outputs = outputs_,
    .run = run,
};
