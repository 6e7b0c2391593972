"""Networks: what turns an image into logits and a feature map; methods never name one."""
