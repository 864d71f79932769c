/* Bytes through a table: whatever an int8 operator of one operand does to a number. */
#ifndef WVV_LOOKUP_H_
#define WVV_LOOKUP_H_

#include <stdint.h>

/* y[n] = table[x[n] & 255]; `layer` holds how many there are. y may be x. */
void wvv_lookup(const int8_t *x, const int8_t *table, const int32_t *layer, int8_t *y);

#endif
