/* A token, two machines that have it (the right one and a thief's), an Owner who may take it back, and a control
 * plane (src/servers/server_service.cpp: enrol, admit, revoke) that is killed between any two steps. Requests and
 * answers are lost and repeated: each machine asks again until it knows. A second token replaces the machine later.
 *
 * -D names a mutant; the claims beside it in the last lines have to fail then. */

#define M 3       /* machines: 0 and 1 with the first token, 2 with the second */
#define NOBODY 9

mtype = { open, used, revoked };

/* durable */
mtype token[2] = open;
byte server = NOBODY;       /* whose certificate counts for the server record */
byte admitted[2];           /* how often each token let somebody in */
/* the world */
bool told_yes[M], told_no[M];   /* answers on their way; each may be lost */
bool enrolled[M];           /* the machine has its files */
bool gone[2];               /* the Owner was told: revoked */
bool late;                  /* past the first token's time */
byte crashes;

#define TOKEN(m) ((m) / 2)

/* One request: a look at the token outside of the transaction, a certificate, then the transaction that decides. */
proctype Request(byte m) {
  atomic { token[TOKEN(m)] == open && !(late && TOKEN(m) == 0) -> skip } unless { (token[TOKEN(m)] != open || (late && TOKEN(m) == 0)) -> told_no[m] = true; goto over };
  /* here it may be killed, or wait: the token can be used, revoked or late by now */
  if :: skip :: atomic { crashes < 1 -> crashes++; goto over } fi;
  atomic {
    if
#ifdef LOOKS_ONCE
    :: true ->
#else
    :: token[TOKEN(m)] == open && !(late && TOKEN(m) == 0) ->
#endif
       token[TOKEN(m)] = used; admitted[TOKEN(m)]++;
       server = m
    :: else -> told_no[m] = true; goto over
    fi
  };
  if :: skip :: atomic { crashes < 1 -> crashes++; goto over } fi;  /* it counts, and nobody was told */
  told_yes[m] = true;
over: skip
}

proctype Machine(byte m) {
  if
  :: atomic { told_yes[m] -> enrolled[m] = true }
  :: atomic { told_no[m] -> skip }
  :: atomic { timeout -> skip }   /* no answer: the installer says so */
  fi
}

proctype Owner() {
  if
  :: atomic { token[0] == open -> token[0] = revoked; gone[0] = true }
  :: skip
  fi
}

proctype Time() { late = true }

init {
  atomic { run Request(0); run Request(0); run Request(1); run Machine(0); run Machine(1); run Owner(); run Time() };
  /* Later, when somebody set the machine up anew. */
  if
  :: atomic { server != NOBODY -> run Request(2); run Machine(2) }
  :: skip
  fi
}

/* A token lets one machine in, once; a revoked one nobody. */
ltl one_use { [] (admitted[0] <= 1 && admitted[1] <= 1) }
ltl revoked_is_over { [] (gone[0] -> (admitted[0] == 0 && [] (admitted[0] == 0))) }
/* Two machines never both have a certificate that the first token brought, and of those that have one the last counts. */
ltl not_both { [] !(enrolled[0] && enrolled[1]) }
ltl last_counts { [] (enrolled[2] -> server == 2) }
ltl one_counts { [] ((enrolled[0] && admitted[1] == 0) -> server == 0) }

/* Refuted, or the claims above would hold of a model in which nothing happens. */
ltl never_enrolled { [] !enrolled[0] }
ltl never_the_thief { [] !enrolled[1] }
ltl never_revoked { [] !gone[0] }
ltl never_replaced { [] !enrolled[2] }
ltl never_untold { [] !(admitted[0] == 1 && told_no[0] && server == 0 && !told_yes[0]) }

/* mutant LOOKS_ONCE breaks one_use
 * mutant LOOKS_ONCE breaks revoked_is_over
 * mutant LOOKS_ONCE breaks not_both */
