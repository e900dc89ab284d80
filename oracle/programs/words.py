# Python's own work: a dictionary of words, lists of numbers, a sort, much of it dropped again. No input, no output. ~45 MB.
import random

random.seed(20240601)
index = {}
for line in range(60000):
    word = "w%x" % (random.randrange(40000) ** 2)
    index.setdefault(word, []).append(line)
pairs = sorted((len(lines), word) for word, lines in index.items())
table = [[float(i * j % 97) for j in range(64)] for i in range(6000)]
for step in range(12):
    row = table[random.randrange(6000)]
    totals = [sum(each) + row[step] for each in table[step * 400 : step * 400 + 2400]]
    word = pairs[random.randrange(len(pairs))][1]
    index[word] = [int(t) for t in totals[:200]]
checks = sum(len(index[word]) for _, word in pairs[::3])
del table
late = {i: str(i * i) for i in range(70000)}
assert checks > 0 and len(late) == 70000
