/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RFUSE_HELPERS_H
#define RFUSE_HELPERS_H
/* `bindgen` reads the definitions: the helpers have no prototypes of their own. */
#define __rfuse_helper
#endif
