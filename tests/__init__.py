"""Does Hopp keep its promises?"""
