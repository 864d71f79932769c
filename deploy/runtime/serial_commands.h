/* The protocol's commands, in groups; each function obeys one and has said its answer but for `m-ready`.
 * `rest` is what stands behind the command's own word. */
#ifndef WVV_SERIAL_COMMANDS_H
#define WVV_SERIAL_COMMANDS_H

#include <stdint.h>

#include "wvv_serial_protocol.h"

/* serial_db.c */
void wvv_command_db(struct wvv_serial *serial, char *rest);

/* Whether `infer` has all its bytes; says what is missing. */
bool wvv_db_complete(const struct wvv_serial *serial);

/* serial_infer.c */
void wvv_command_infer(struct wvv_serial *serial, char *rest);
void wvv_command_results(struct wvv_serial *serial, char *rest);
void wvv_command_timestamp(struct wvv_serial *serial, char *rest);

/* serial_bytes.c */
void wvv_command_info(struct wvv_serial *serial, char *rest);
void wvv_command_put(struct wvv_serial *serial, char *rest);

/* One of the bytes that wvv-put promised; true with the last of them, when what they are worth has been said. */
bool wvv_put_byte(struct wvv_serial *serial, uint8_t byte);
void wvv_command_infer_once(struct wvv_serial *serial, char *rest);
void wvv_command_get(struct wvv_serial *serial, char *rest);
void wvv_command_stack(struct wvv_serial *serial, char *rest);

/* Bytes of all inputs or of all outputs, one after the other. */
uint32_t wvv_input_bytes(void);
uint32_t wvv_output_bytes(void);

/* The place of one of these bytes; `offset` is below their number. */
uint8_t *wvv_input_byte(uint32_t offset);

#endif
