#ifndef AWKWARD_KERNELS_H_
#define AWKWARD_KERNELS_H_

#include <stdbool.h>
#include <stdint.h>

void awkward_add_0(const int8_t* restrict a, const int8_t* restrict b, int8_t* restrict add);
void awkward_reverse_0(const int8_t* restrict a, int8_t* restrict reverse);

#endif
