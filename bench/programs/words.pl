# Counts words, keeps where each stands, and sorts them. Argument: thousands of lines.
use strict;
my ($seed, %count, %places, @lines) = (1);
for my $line (1 .. 1000 * shift @ARGV) {
    my @words = map { $seed = ($seed * 69069 + 1) % 4294967296; 'w' . ($seed >> 12) % 9000 } 1 .. 12;
    push @lines, join ' ', @words;
    for my $word (@words) {
        $count{$word}++;
        push @{$places{$word}}, $line;
    }
    shift @lines if @lines > 5000;
}
my @often = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
my %by_length;
push @{$by_length{length $_}}, $_ for @often;
s/w(\d)/<$1>/g for @lines;
print "@often[0 .. 9] ", scalar(keys %by_length), ' ', length(join '', @lines), "\n";
