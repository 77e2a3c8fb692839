"""How long two kinds of requests take, and whether it tells them apart.

Samples are taken in turns, in pairs that share what the machine does at that moment, and as many as it takes for the 99 %
interval of the gap of their 95th percentiles (by drawing the pairs again) to be narrow, or `most`. That interval has to reach into
the limit. On a busy machine it may stay wide; so the median of the pairs' gaps, which load hardly moves, has to be within the
limit and within a quarter of what a request takes, and its interval narrower than that: work that is left out for one of the two is more."""
import random
import statistics

LIMIT, DRAWS = 0.001, 1000


def p95(values):
    return sorted(values)[len(values) * 95 // 100]


def interval(pairs, gap):
    """Where 99 of 100 such experiments would find that gap."""
    draw = random.Random(15)
    found = sorted(gap([draw.choice(pairs) for _ in pairs]) for _ in range(DRAWS))
    return found[DRAWS // 200], found[-DRAWS // 200]


def of_p95(pairs):
    return interval(pairs, lambda some: p95([a for a, _ in some]) - p95([b for _, b in some]))


def of_median(pairs):
    return interval(pairs, lambda some: statistics.median(a - b for a, b in some))


def alike(pair, least, most):
    """`pair(n)`: the n-th pair of times, in seconds."""
    pairs = [pair(n) for n in range(least)]
    while True:
        found = of_p95(pairs)
        takes = statistics.median(t for both in pairs for t in both)
        if found[1] - found[0] < takes / 4 or len(pairs) >= most:
            break
        pairs += [pair(n) for n in range(len(pairs), min(most, len(pairs) + least))]
    middle = of_median(pairs)
    said = (f"{len(pairs)} pairs of {takes * 1e3:.2f} ms: gap of the p95s {found[0] * 1e3:.2f} to {found[1] * 1e3:.2f} ms, "
            f"of the medians {middle[0] * 1e3:.2f} to {middle[1] * 1e3:.2f} ms")
    print(said)
    bound = min(LIMIT, takes / 4)
    assert found[0] <= LIMIT and found[1] >= -LIMIT, said
    assert middle[0] <= bound and middle[1] >= -bound, said
    assert middle[1] - middle[0] < takes / 4, "too few samples to see a gap: " + said
