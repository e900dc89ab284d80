# Perl's own work: hashes of words and of lists. Argument: a text. ~25 MB.
while (<>) { chomp; my @w = split / /; $n{$_}++ for @w; push @{$by{length $_}}, $. if @w > 6; }
my @top = (sort { $n{$b} <=> $n{$a} || $a cmp $b } keys %n)[0..99];
for my $l (keys %by) { $sum += $_ for @{$by{$l}}; }
print "$top[0] $sum\n";
