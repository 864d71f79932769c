/* MLPerf Tiny's commands over a serial line, and our own beside them: a state machine without input and output.
 *
 * Takes:   one byte after the other; a command ends with `%` and has at most 80 characters; line ends are skipped.
 * Gives:   answers, character by character, through `put`; the last line of each is `m-ready`.
 * Refuses: whatever it cannot do, with one line `e-[reason]`, and goes on; it writes to the model's inputs and to its
 *          own fields only.
 *
 * The standard commands, their texts and their order are those of mlcommons/tiny, benchmark/api (v1.x): name, profile,
 * timestamp, help, db load, db HEX, db print, infer, results.  Ours, for hosts that check every byte:
 *
 *   wvv-info                 m-wvv-info-[1,ID,INPUT_BYTES,OUTPUT_BYTES] and m-wvv-clock-[...]
 *   wvv-put OFFSET COUNT CRC m-[Expecting COUNT bytes]; so many bytes as they are must follow, which go into the inputs,
 *                            and are answered once more.  OFFSET and COUNT have 6, CRC has 8 hexadecimal digits
 *   wvv-infer CRC            one inference, if CRC is that of all inputs; m-wvv-ran-[CRC of all outputs,TICKS]
 *   wvv-get OFFSET COUNT     bytes of the outputs, as lines m-wvv-OFFSET-HEX-CRC
 *   wvv-stack                m-wvv-stack-[BYTES], the most that was ever in use; 0: unknown
 *   wvv-reset                starts the device anew, without an answer but the start's own
 *
 * A CRC is CRC-32 (as in zlib); that of bytes at an OFFSET is over its three bytes, the highest first, and the bytes.
 * Each of our commands can be repeated without harm.  After wvv-put as many `%` as bytes were promised end the waiting.
 */
#ifndef WVV_SERIAL_PROTOCOL_H
#define WVV_SERIAL_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#define WVV_LINE_MOST 80u

/* What the protocol needs of the device, or of a test. */
struct wvv_serial_device {
  void (*put)(char character);
  bool (*microseconds)(uint64_t *now); /* false: there is no clock, or it ran over */
  uint32_t (*ticks)(int32_t *status);  /* runs the model once; the timer's ticks meanwhile, and what `run` gave */
  uint32_t (*stack_bytes)(void);
  void (*reset)(void);
};

struct wvv_serial {
  const struct wvv_serial_device *device;
  uint32_t length;               /* of the command so far; WVV_LINE_MOST + 1 once it is too long */
  char line[WVV_LINE_MOST + 1u]; /* ends with 0 while a command is obeyed */
  uint32_t db_expected;          /* bytes that `db load` promised, 0 before */
  uint32_t db_loaded;            /* of them, so many have come */
  uint32_t put_left;             /* bytes that wvv-put still waits for */
  uint32_t put_offset;           /* where the next one goes */
  uint32_t put_crc;              /* of those that came */
  uint32_t put_wanted;           /* what that must be in the end */
  bool has_outputs;
};

/* Says that the device is there. */
void wvv_serial_open(struct wvv_serial *serial, const struct wvv_serial_device *device);

void wvv_serial_feed(struct wvv_serial *serial, uint8_t byte);

#endif
