/* The serial line of both stand-ins: stdin and stdout, polled. */
#ifndef STUB_LINE_H
#define STUB_LINE_H

#ifdef __cplusplus
extern "C" {
#endif

/* The next byte, -1 where none has arrived; ends the program where none ever will. */
int stub_get(void);
void stub_put(unsigned char byte);

/* Counts up at 1 MHz. */
unsigned stub_microseconds(void);

/* A reset ends the program, with a status of its own. */
void stub_reset(void);
#define STUB_RESET 7

#ifdef __cplusplus
}
#endif
#endif
