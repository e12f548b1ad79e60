/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MARK_H
#define MARK_H

/* A marker of plugin/insn.c: nopl DISP32(%rax,%rax,1) with rdi = name, rsi = operations. */
#define MARK(displacement, name, n)                                                          \
	__asm__ volatile(".byte 0x0f, 0x1f, 0x84, 0x00\n\t.long " displacement ::"D"(name), "S"(n) \
			 : "memory")

#define MARK_BEGIN() MARK("0x52494e01", 0, 0)
#define MARK_END(name, n) MARK("0x52494e02", name, n)

#endif
