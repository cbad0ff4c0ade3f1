"""Every case's scores from one capture, group by group, without running the model again."""
