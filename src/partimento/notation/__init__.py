"""From notes to a page that can be read, and back to what is played: spelling, hands, voices, note values, bars."""
