/* The door of this room: all that it offers to those above. */
#ifndef HAK_OS_H
#define HAK_OS_H

#include "os/bits.h"
#include "os/build.h"
#include "os/calls.h"
#include "os/config.h"
#include "os/file.h"
#include "os/json.h"
#include "os/once.h"
#include "os/report.h"
#include "os/sink.h"
#include "os/words.h"

#endif
