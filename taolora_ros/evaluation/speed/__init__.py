"""How fast the engines are and how much memory they take, beside what others run."""
