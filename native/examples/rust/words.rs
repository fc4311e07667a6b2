//! Counts the words of its input: strings in a HashMap, sorted.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead};

#[global_allocator]
static ALLOCATOR: gomalloc::Gomalloc = gomalloc::Gomalloc;

fn main() -> io::Result<()> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut total = 0;
    for line in io::stdin().lock().lines() {
        for word in line?
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
        {
            *counts.entry(word.to_ascii_lowercase()).or_default() += 1;
            total += 1;
        }
    }
    let mut by_count: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for (word, count) in &counts {
        by_count.entry(*count).or_default().push(word);
    }
    println!("{} words, {} different", total, counts.len());
    let mut left = 10;
    for (count, words) in by_count.iter_mut().rev() {
        words.sort_unstable();
        for word in words.iter().take(left) {
            println!("{:6} {}", count, word);
        }
        left -= left.min(words.len());
    }
    Ok(())
}
