/* The door of this room: all that it offers to those above. */
#ifndef HAK_POLICY_H
#define HAK_POLICY_H

#include "policy/environment.h"
#include "policy/hints.h"
#include "policy/options.h"
#include "policy/pace.h"
#include "policy/profile.h"
#include "policy/retain.h"
#include "policy/values.h"

#endif
