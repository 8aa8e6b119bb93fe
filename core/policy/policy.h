/* The door of this room: all that it offers to those above. */
#ifndef HAK_POLICY_H
#define HAK_POLICY_H

#include "policy/options.h"
#include "policy/profile.h"

#endif
