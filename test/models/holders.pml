/* Two that hold one server's key (src/channel/hub.cpp: doubt, answered_twice; src/servers/server_keys.cpp: twice): the server itself,
 * which closes what it had before it dials anew, and whoever has a copy of its key, who answers a ping or does not. Whoever comes
 * second is let in, and whoever was there before is asked whether anybody is there still. An Owner has the server enrolled anew.
 *
 * -D names a mutant; the claims beside it in the last lines have to fail then. */

#define SERVER 0
#define THIEF 1
#define NONE 9
#define MOST 4

/* durable */
bool quarantined;
byte key;                        /* which of them counts: 0, and 1 after it was enrolled anew */
/* connections, as the hub has them: the one that counts, and one before it that is in doubt; and whether its other end is open */
byte cur = NONE, doubt = NONE;
bool cur_open, doubt_open;
/* what must not be, and what may */
bool thief_came, unnoticed, let_in_after, thief_after, noticed, back;
byte dials[2];
byte holds[2];                   /* the key that each of them has */

inline dial(i) {
  atomic {
    dials[i] < MOST -> dials[i]++;
    if :: i == THIEF -> thief_came = true :: else fi;
    if
    :: i == SERVER -> if :: cur == SERVER -> cur_open = false :: else fi; if :: doubt == SERVER -> doubt_open = false :: else fi
    :: else
    fi;
    if
#ifdef LETS_IN_AGAIN
    :: holds[i] == key ->
#else
    :: holds[i] == key && !quarantined ->
#endif
       if :: quarantined -> let_in_after = true :: else fi;
       if :: key == 1 && i == THIEF -> thief_after = true :: else fi;
       if :: key == 1 && i == SERVER -> back = true :: else fi;
       if
       :: cur != NONE ->
#ifdef CLOSES_AT_ONCE
          if :: cur == SERVER && cur_open && i == THIEF -> unnoticed = true :: else fi
#else
          doubt = cur; doubt_open = cur_open
#endif
       :: else
       fi;
       cur = i; cur_open = true
    :: else
    fi
  }
}

proctype Server() { do :: dial(SERVER) :: else -> break od }
proctype Thief() { do :: dial(THIEF) :: else -> break od }

/* An answer over the connection that is in doubt. The server answers whatever it can; the thief as it likes. */
proctype Hub() {
  end:
  do
#ifdef ANY_WORD
  :: atomic { doubt != NONE -> quarantined = true; noticed = true; cur = NONE; doubt = NONE }
#else
  :: atomic { doubt != NONE && doubt_open && doubt != cur -> quarantined = true; noticed = true; cur = NONE; doubt = NONE }
#endif
  :: atomic { doubt != NONE && (!doubt_open || doubt == THIEF) -> doubt = NONE }  /* nobody answered */
  od
}

proctype Owner() {
  atomic { quarantined ->
#ifndef KEEPS_THE_KEY
    key = 1;
#endif
    holds[SERVER] = key; quarantined = false; cur = NONE; doubt = NONE;
#ifdef KEEPS_THE_KEY
    key = 1; holds[SERVER] = 1; holds[THIEF] = 1
#endif
  }
}

init { atomic { run Server(); run Thief(); run Hub(); run Owner() } }

/* A server that comes and goes by itself is never taken for two. */
ltl alone { [] ((quarantined && key == 0) -> thief_came) }
/* Nobody takes a live server's place unnoticed. */
ltl noticed_in_time { [] !unnoticed }
/* Neither is let in once they were noticed, and the thief's key is worth nothing when the server is back. */
ltl both_out { [] !let_in_after }
ltl thief_stays_out { [] !thief_after }

/* Refuted, or the claims above would hold of a model in which nothing happens. */
ltl never_noticed { [] !noticed }
ltl never_back { [] !back }
ltl never_thief { [] !(cur == THIEF) }

/* mutant ANY_WORD breaks alone
 * mutant CLOSES_AT_ONCE breaks noticed_in_time
 * mutant LETS_IN_AGAIN breaks both_out
 * mutant KEEPS_THE_KEY breaks thief_stays_out */
