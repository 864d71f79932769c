#ifndef TVMGEN_RESIDUAL_H_
#define TVMGEN_RESIDUAL_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of each tensor, of the largest kernel's scratch, and of the arena that holds scratch and tensors between. */
#define TVMGEN_RESIDUAL_SERVING_INPUT_0_SIZE 24
#define TVMGEN_RESIDUAL_IDENTITY_0_SIZE 24
#define TVMGEN_RESIDUAL_WORKSPACE_SIZE 0
#define TVMGEN_RESIDUAL_ARENA_SIZE 64

struct tvmgen_residual_inputs {
  void* serving_input_0; /* serving/input:0 */
};

struct tvmgen_residual_outputs {
  void* Identity_0; /* Identity_0 */
};

/* Runs the model once; 0 on success. Inputs are only read. Inputs and outputs must not overlap, and each pointer must
 * be aligned for its element type. Not reentrant: the arena is static. */
int32_t tvmgen_residual_run(struct tvmgen_residual_inputs* inputs, struct tvmgen_residual_outputs* outputs);

#ifdef __cplusplus
}
#endif

#endif
