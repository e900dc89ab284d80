# Python's own work: dictionaries, lists of numbers and of strings, sorts, much of it dropped again. No input, no output. ~40 MB.
import random

random.seed(20240601)
index = {}
for line in range(9000):
    word = "w%x" % (random.randrange(6000) ** 2)
    index.setdefault(word, []).append(line)
names = sorted(index)
rows = [list(range(i * 1000, i * 1000 + 700)) for i in range(900)]
texts = [name * 40 for name in names for _ in range(4)]
for step in range(40):
    row = rows[random.randrange(len(rows))]
    row.sort(reverse=True)
    total = sum(map(sum, rows[step * 20 : step * 20 + 80]))
    index[names[step * 7]] = row[: total % 400]
texts.sort(key=len)
joined = "".join(texts[::2])
del rows
counts = dict.fromkeys(range(150000), 0)
again = sorted(counts, reverse=True)
assert len(joined) > 100000 and again[-1] == 0
